"""What the processes that fork tasks have ready for them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from include import names, snowflake_identities
from include.local.demo.environment import ROOT, TASKS_START_SOONER

pytestmark = [pytest.mark.unit, pytest.mark.verify]

# As Airflow begins its scheduler; the key is then asked for as a task does.
PROGRAM = """
import sys
sys.argv = ["airflow", "scheduler"]
import airflow_local_settings
from clicks_to_deliveries.hooks.snowflake_hook import PipelineSnowflakeHook
for _ in range(2):
    try:
        PipelineSnowflakeHook().get_private_key()
    except ValueError as error:
        print(error)
found = airflow_local_settings.serialization.load_pem_private_key.cache_info()
print(found.hits, found.misses)
"""


@pytest.mark.parametrize(
    ("is_there", "said"),
    [
        (True, "2 1"),
        (False, "file path points to an empty or invalid file"),
    ],
    ids=("a key", "none"),
)
def test_a_key_is_proved_before_tasks_are_forked_and_only_tasks_tell_that_there_is_none(
    tmp_path: Path, is_there: bool, said: str
) -> None:
    if is_there:
        snowflake_identities.ensure_keys(tmp_path)
    key = {"private_key_file": str(tmp_path / "transformer.p8")}
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "plugins"), str(TASKS_START_SOONER)]),
        "CTD_DEPLOYMENT_BUCKET": "deployments",
        f"AIRFLOW_CONN_{names.SNOWFLAKE_CONNECTION.upper()}": json.dumps({"conn_type": "snowflake", "extra": key}),
    }
    started = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    assert said in started.stdout
