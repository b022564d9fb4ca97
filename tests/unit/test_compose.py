"""docker-compose.yaml and Dockerfile: valid, complete, private, and running what the demo runs."""

import importlib.util
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from include import names
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
                assert required or value in DUMMIES, f"{service}: {name}"
            for password in re.findall(r"://[^/@]*:([^/@]*)@", VARIABLE.sub("variable", value)):
                assert password == "variable", f"{service}: {name}"


def test_the_recipe_at_the_top_makes_every_required_variable(tmp_path):
    recipe = re.search(r"<<'END'\n(.*?)\n#\s+END", COMPOSE_TEXT, re.DOTALL)
    code = "\n".join(line.removeprefix("#        ") for line in recipe[1].splitlines())
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=180).stdout
    body = "\n".join(line for line in COMPOSE_TEXT.splitlines() if not line.startswith("#"))
    required = {match["name"] for match in VARIABLE.finditer(body) if ":-" not in match["rest"]}
    assert {line.split("=", 1)[0] for line in made.splitlines()} == required
    assert all(":?" in match["rest"] or ":-" in match["rest"] for match in VARIABLE.finditer(body))


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
        assert SERVICES[component]["environment"] == AIRFLOW
