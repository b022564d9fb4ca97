"""The commands of docker-compose.yaml exist and know the options that they are given."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from airflow.cli.cli_parser import get_parser

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
SERVICES = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"]


@pytest.mark.parametrize("service", ["ministack", "snowflake", "event-source-mapping", "firehose-delivery"])
def test_a_stand_in_knows_every_option_it_is_given(service):
    command = SERVICES[service]["command"]
    assert command[0] == "python"
    help_command = [sys.executable, *command[1:3], "--help"]
    result = subprocess.run(help_command, cwd=ROOT, capture_output=True, text=True, timeout=180)
    assert result.returncode == 0, result.stderr
    assert [word for word in command if word.startswith("--") and word not in result.stdout] == []


def test_airflow_knows_the_commands_it_is_given():
    commands = [definition.get("command", []) for definition in SERVICES.values()]
    commands += [shlex.split(part) for part in SERVICES["airflow-init"]["command"][-1].split(" && ")]
    airflow = [command[1:] for command in commands if command[:1] == ["airflow"]]
    assert len(airflow) == 7
    for arguments in airflow:
        if arguments[0] != "celery":  # Its commands come with the provider, which only the image has.
            get_parser().parse_args(arguments)
    assert ["celery", "worker"] in airflow
    assert "\napache-airflow-providers-celery==" in (ROOT / "include/requirements/compose.txt").read_text()
