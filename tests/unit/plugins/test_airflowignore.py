"""Airflow's plugin loader and our package in its folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
# The names of the top-level modules that the loader made of files below plugins/.
SCRIPT = """
import sys
from airflow import plugins_manager

plugins_manager.ensure_plugins_loaded()
assert not plugins_manager.get_import_errors()
for name, module in list(sys.modules.items()):
    if "." not in name and "/clicks_to_deliveries/" in str(getattr(module, "__file__", "")):
        print("module", name)
import clicks_to_deliveries.hooks.stack
print("imported")
"""


def test_the_loader_puts_no_module_of_the_package_under_its_bare_name(tmp_path):
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "plugins")]),
    }
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, timeout=180, cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    lines = [line for line in result.stdout.splitlines() if line.startswith(("module ", "imported"))]
    # The package itself is its __init__; whatever else is listed would shadow a module of that name.
    assert [line for line in lines if line != "module clicks_to_deliveries"] == ["imported"]
