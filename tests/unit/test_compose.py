"""docker-compose.yaml and Dockerfile: valid, complete, private, and running what the demo runs."""

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from clicks_to_deliveries import defaults
from cryptography import x509

from include import names
from include.local.cluster import env_file
from include.local.cluster.engine import OLDEST_COMPOSE
from include.local.demo import environment
from include.local.demo.ports import Ports
from include.settings import read_settings

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
COMPOSE_TEXT = (ROOT / "docker-compose.yaml").read_text()
COMPOSE = yaml.safe_load(COMPOSE_TEXT)
SERVICES = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PROCFILE = dict(line.split(": ", 1) for line in (ROOT / "include/local/demo/Procfile").read_text().splitlines() if line)
# ${NAME}, ${NAME:-default} and ${NAME:?message}, but not the $$ that stands for one dollar.
VARIABLE = re.compile(r"(?<!\$)\$\{(?P<name>\w+)(?P<rest>[^}]*)\}")
# What the stand-ins take from everybody; no secret.
DUMMIES = {"test", "local"}
AIRFLOW = SERVICES["scheduler"]["environment"]


def strings(value: object) -> Iterator[str]:
    """All strings in a YAML value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from strings(part)
    elif isinstance(value, str):
        yield value


def interpolated(text: str) -> str:
    """The text with each variable's default, or its name where it has none."""
    return VARIABLE.sub(
        lambda match: match["rest"].removeprefix(":-") if ":-" in match["rest"] else match["name"], text
    )


def words(command: list[str]) -> list[str]:
    """The command without the values of its options."""
    return [word for before, word in zip(["", *command], command, strict=False) if not before.startswith("--")]


def test_it_is_valid_against_the_compose_specification():
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    result = subprocess.run([*command, "docker-compose.yaml"], cwd=ROOT, capture_output=True, text=True, timeout=180)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_part_of_the_pipeline_is_a_service():
    assert set(SERVICES) == {
        *("postgres", "redis", "airflow-init", "api-server", "scheduler", "dag-processor", "triggerer", "worker"),
        *(
            "certificates",
            "ministack",
            "snowflake",
            "identities",
            "event-source-mapping",
            "firehose-delivery",
            "dashboard",
            "acceptance",
        ),
    }


@pytest.mark.parametrize("process", PROCFILE)
def test_a_service_runs_the_command_of_the_demo(process):
    profile, command = re.fullmatch(r"exec (?:env AWS_PROFILE=(\w+) )?(.*)", PROCFILE[process]).groups()
    demo = words(shlex.split(command))
    compose = words(SERVICES[process]["command"])
    assert SERVICES[process].get("environment", {}).get("AWS_PROFILE") == profile
    # A container listens on its network and has its environments elsewhere.
    assert [word for word in compose if word not in ("--host", "--venv")] == demo


def test_the_pool_of_the_history_writer_is_made():
    assert f"airflow pools set {names.HISTORY_WRITER_POOL} 1 " in SERVICES["airflow-init"]["command"][-1]


def test_the_certificate_is_for_the_service_name(tmp_path):
    code = SERVICES["certificates"]["command"][-1].replace("/certificates", str(tmp_path))
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=180)
    leaf = x509.load_pem_x509_certificate((tmp_path / "certificate.pem").read_bytes())
    hosts = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert SERVICES["dashboard"]["environment"]["SNOWFLAKE_HOST"] in hosts.get_values_for_type(x509.DNSName)
    mentioned = {Path(word).name for word in strings(SERVICES) if word.startswith("/certificates/")}
    assert mentioned
    assert mentioned <= {path.name for path in tmp_path.iterdir()}


def test_every_image_is_pinned_or_built_here():
    stages = {stage: parent for parent, stage in re.findall(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, re.MULTILINE)}
    pinned = re.compile(r"[a-z]+:\d+\.\d+[\w.-]*")
    for parent in stages.values():
        assert parent in stages or pinned.fullmatch(parent), parent
    built = [(each["image"], each["build"]["target"]) for each in SERVICES.values() if "build" in each]
    # Each image is built by one service: several that build it in parallel fail on Docker's containerd image store.
    assert sorted(built) == [
        (f"clicks-to-deliveries-{stage}:local", stage) for stage in sorted(stages) if stage != "base"
    ]
    for service, definition in SERVICES.items():
        assert definition["image"] in dict(built) or pinned.fullmatch(definition["image"]), service


def test_the_dockerfile_copies_only_what_exists_and_is_not_ignored():
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for source in re.findall(r"^COPY (\S+) \S+$", DOCKERFILE, re.MULTILINE):
        assert (ROOT / source).exists(), source
        assert source == "." or any(Path(source).is_relative_to(path) for path in allowed), source
    # Streamlit's settings are beside its script, in a folder that is allowed.
    script = SERVICES["dashboard"]["command"][2]
    assert (ROOT / script).parent.joinpath(".streamlit/config.toml").exists()
    for directory in ("dags", "dashboard", "include", "lambdas", "plugins", "sql"):
        assert directory in allowed


def test_ports_are_published_on_the_loopback_address_only():
    ports = [port for definition in SERVICES.values() for port in definition.get("ports", [])]
    assert len(ports) == 3
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []
    assert "network_mode" not in COMPOSE_TEXT


def test_no_secret_is_in_the_file_and_none_has_a_default():
    for service, definition in SERVICES.items():
        for name, value in definition.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|FERNET|_KEY$", name):
                required = ":?" in value and not VARIABLE.sub("", value)
                assert required or value in DUMMIES or name.endswith("_FILE"), f"{service}: {name}"
            for password in re.findall(r"://[^/@]*:([^/@]*)@", VARIABLE.sub("variable", value)):
                assert password == "variable", f"{service}: {name}"


def test_the_env_file_has_every_required_variable_and_keeps_what_is_there(tmp_path):
    file = tmp_path / ".env"
    file.write_text("AIRFLOW_PORT=9000\nREDIS_PASSWORD=chosen")
    added = env_file.ensure(file)
    assert file.stat().st_mode & 0o077 == 0o044  # Whoever made the file has chosen.
    made = env_file.read(file)
    assert made["REDIS_PASSWORD"] == "chosen"
    body = "\n".join(line for line in COMPOSE_TEXT.splitlines() if not line.startswith("#"))
    required = {match["name"] for match in VARIABLE.finditer(body) if ":-" not in match["rest"]}
    assert required <= made.keys()
    assert {*added, "REDIS_PASSWORD", "AIRFLOW_PORT"} == made.keys()
    assert env_file.ensure(file) == []
    assert all(":?" in match["rest"] or ":-" in match["rest"] for match in VARIABLE.finditer(body))


def test_only_its_owner_reads_a_new_env_file_and_no_secret_is_made_twice(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    env_file.ensure(first)
    env_file.ensure(second)
    assert first.stat().st_mode & 0o077 == 0
    values = [*env_file.read(first).values(), *env_file.read(second).values()]
    secrets = [value for value in values if value not in env_file.ARM.values()]
    assert len(secrets) == len(set(secrets))


def test_the_head_of_the_file_says_which_compose_it_needs():
    head = COMPOSE_TEXT.partition("\nname:")[0]
    assert f"Docker Compose {'.'.join(map(str, OLDEST_COMPOSE))}" in head
    assert "include/local/cluster/env_file.py" in head


def test_every_interpreter_finds_its_bytecode():
    assert "PYTHONDONTWRITEBYTECODE" not in DOCKERFILE
    base, *stages = re.split(r"^FROM .*$", DOCKERFILE, flags=re.MULTILINE)[1:]
    assert "UV_COMPILE_BYTECODE=1" in base
    assert "compileall" in base
    for stage in stages:
        assert re.search(r"COPY .* /app\S*\nRUN python -m compileall -q /app\n", stage), stage


def test_no_registry_is_asked_for_a_frontend():
    assert "syntax=" not in DOCKERFILE


def test_what_tasks_work_with_is_imported_before_a_worker_forks_them():
    folder = "include/local/demo/airflow_config"
    assert f"/app/{folder}" in DOCKERFILE
    assert SERVICES["worker"]["command"][-1] in (ROOT / folder / "airflow_local_settings.py").read_text()


def test_redis_is_started_by_its_image_which_then_changes_the_user():
    assert SERVICES["redis"]["command"][0] == "redis-server"


def test_postgres_is_healthy_only_when_it_listens_on_the_network():
    check = SERVICES["postgres"]["healthcheck"]["test"]
    assert check[check.index("--host") + 1] == "127.0.0.1"


def test_no_health_check_imports_airflow():
    for service, definition in SERVICES.items():
        check = definition.get("healthcheck", {"test": []})["test"]
        assert not any(re.search(r"airflow (jobs|celery)|airflow\.providers", word) for word in check), service
        if "python" in check:
            assert check[:3] == ["CMD", "python", "-IS"], service


def test_a_dead_workers_task_is_tried_again_within_a_minute():
    longest_delay = 2 * dag_arguments_retry_delay()
    seconds = {
        name: float(AIRFLOW[f"AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT{name}"])
        for name in ("", "_DETECTION_INTERVAL")
    }
    assert sum(seconds.values()) + longest_delay < 60
    # A task outlives an API server that is away for as long: it sends a heartbeat every 5 s.
    assert 5 * int(AIRFLOW["AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS"]) >= seconds[""]


def dag_arguments_retry_delay() -> float:
    arguments = defaults.dag_arguments(
        str(ROOT / "dags/scd2_merge.py"), title="", tags=set(), run_timeout=timedelta(), task_timeout=timedelta()
    )
    return arguments["default_args"]["retry_delay"].total_seconds()


def test_what_must_be_healthy_first_can_tell_and_what_must_end_first_ends():
    for service, definition in SERVICES.items():
        for target, dependency in definition.get("depends_on", {}).items():
            if dependency["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[target], f"{service} waits for {target}"
            else:
                assert dependency["condition"] == "service_completed_successfully"
                assert SERVICES[target]["restart"] == "no", f"{service} waits for {target}"


def test_whoever_uses_a_stand_in_waits_for_it():
    def awaited(service: str) -> set[str]:
        direct = set(SERVICES[service].get("depends_on", {}))
        return direct.union(*(awaited(other) for other in direct))

    for service, definition in SERVICES.items():
        told = definition.get("environment", {})
        if service != "airflow-init" and "AWS_ENDPOINT_URL" in told:
            assert "ministack" in awaited(service), service
        if service != "airflow-init" and "SNOWFLAKE_HOST" in told:
            assert "snowflake" in awaited(service), service


def test_every_volume_and_config_is_declared_and_used():
    mounted = {mount.split(":")[0] for definition in SERVICES.values() for mount in definition.get("volumes", [])}
    assert mounted == set(COMPOSE["volumes"])
    used = {config["source"] for definition in SERVICES.values() for config in definition.get("configs", [])}
    assert used == set(COMPOSE["configs"])


def test_whatever_keeps_state_keeps_it_in_a_volume():
    for service, definition in SERVICES.items():
        command = definition.get("command", [])
        if "--state" in command:
            directory = command[command.index("--state") + 1]
            assert [mount for mount in definition["volumes"] if mount.endswith(f":{directory}")], service


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> dict[str, str]:
    """The environment that the demo gives to its processes."""
    return environment.build(tmp_path_factory.mktemp("demo"), Ports())


def test_airflow_and_the_dashboard_get_every_variable_that_the_demo_gives(demo):
    given = {name for name in demo if name.startswith(("AWS_", "SNOWFLAKE_", "REQUESTS_", "AIRFLOW_CONN_", "CTD_"))}
    assert given - AIRFLOW.keys() == set()
    read_by_dashboard = {name for name in given if name.startswith(("AWS_", "SNOWFLAKE_", "REQUESTS_", "CTD_"))}
    assert read_by_dashboard - SERVICES["dashboard"]["environment"].keys() == set()


def test_clients_differ_from_the_demos_in_addresses_and_files_only(demo):
    of_this_machine = {
        *("AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"),
        *("SNOWFLAKE_HOST", "SNOWFLAKE_PORT", "SNOWFLAKE_PRIVATE_KEY_FILE"),
    }
    clients = {name for name in AIRFLOW if name.startswith(("AWS_", "SNOWFLAKE_"))} - of_this_machine
    assert {name: AIRFLOW[name] for name in clients} == {name: demo[name] for name in clients}


def test_connections_differ_from_the_demos_in_addresses_and_files_only(demo):
    connections = sorted(name for name in demo if name.startswith("AIRFLOW_CONN_"))
    assert connections == sorted(name for name in AIRFLOW if name.startswith("AIRFLOW_CONN_"))
    for name in connections:
        expected = json.loads(demo[name])
        if expected["conn_type"] == "snowflake":
            key = Path(expected["extra"]["private_key_file"]).name
            expected["extra"] |= {"host": "snowflake", "port": 4443, "private_key_file": f"/keys/{key}"}
        if name == "AIRFLOW_CONN_AIRFLOW_METADATA":
            expected["extra"]["sql_alchemy_conn"] = AIRFLOW["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
        assert json.loads(AIRFLOW[name]) == expected, name


def test_the_settings_are_ones_that_the_pipeline_reads():
    settings = read_settings({name: interpolated(value) for name, value in AIRFLOW.items()})
    python = re.search(r"^FROM python:(\d+\.\d+)", DOCKERFILE, re.MULTILINE)[1]
    # MiniStack runs the functions with its image's interpreter.
    assert settings.lambda_runtime == f"python{python}"
    assert settings.event_source_mappings_enabled is False


def test_airflow_knows_every_option_it_is_given():
    templates = Path(importlib.util.find_spec("airflow").submodule_search_locations[0]) / "config_templates"
    known = yaml.safe_load((templates / "config.yml").read_text())
    given = [name.split("__") for name in AIRFLOW if name.startswith("AIRFLOW__")]
    assert given
    for _, section, option in given:
        if section != "CELERY":  # Its options come with the provider.
            assert option.lower() in known[section.lower()]["options"], f"{section}.{option}"


def test_each_component_of_airflow_has_the_same_secrets():
    components = [
        name for name, definition in SERVICES.items() if definition["image"] == "clicks-to-deliveries-airflow:local"
    ]
    assert len(components) == 6
    for component in components:
        alone = {"AIRFLOW_ADMIN_PASSWORD"} if component == "airflow-init" else set()
        environment = SERVICES[component]["environment"]
        assert environment.keys() - AIRFLOW.keys() == alone
        assert {name: environment[name] for name in AIRFLOW} == AIRFLOW


def test_the_admins_password_is_written_where_the_login_looks_for_it(tmp_path):
    told = "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"
    for component in ("airflow-init", "api-server"):
        directory = str(Path(AIRFLOW[told]).parent)
        assert [mount for mount in SERVICES[component]["volumes"] if mount.endswith(f":{directory}")], component
    assert "python -m include.local.cluster.login &&" in SERVICES["airflow-init"]["command"][-1]
    file = tmp_path / "passwords.json"
    command = [sys.executable, "-m", "include.local.cluster.login"]
    given = {"AIRFLOW_ADMIN_PASSWORD": 'with " and \\', told: str(file)}
    subprocess.run(command, cwd=ROOT, env={**os.environ, **given}, check=True, timeout=180)
    assert json.loads(file.read_text()) == {"admin": given["AIRFLOW_ADMIN_PASSWORD"]}


def test_the_acceptance_report_reads_what_the_services_keep():
    mounts = {mount.split(":")[1]: mount.split(":")[0] for mount in SERVICES["acceptance"]["volumes"]}
    for driver in ("event-source-mapping", "firehose-delivery"):
        (kept,) = [mount for mount in SERVICES[driver]["volumes"] if mount.endswith(":/state")]
        assert mounts[f"/state/{driver}"] == kept.split(":")[0]
    assert "manifests:/manifests" in SERVICES["worker"]["volumes"]
    assert mounts["/manifests"] == "manifests"
    assert SERVICES["acceptance"]["profiles"] == ["acceptance"]
