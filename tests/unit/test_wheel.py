"""The wheel: what it holds, what it asks of an Airflow, and that DAGs and code of two releases never run together."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest
import uv
import yaml
from clicks_to_deliveries import dag_bundle, release
from clicks_to_deliveries.dag_bundle import InstalledDagBundle
from clicks_to_deliveries.release import MixedReleasesError, check_dag_file
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from include.settings import read_settings

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests/fixtures/where_it_runs"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONSTRAINTS = ("airflow-3.1", "airflow-3.2", "airflow-3.3")
BUNDLE = "clicks_to_deliveries.dag_bundle.InstalledDagBundle"
BUNDLES = f'[{{"name": "clicks-to-deliveries", "classpath": "{BUNDLE}", "kwargs": {{}}}}]'


def constraints(file: str) -> dict[str, str]:
    """Canonical name -> version."""
    lines = [line for line in (DATA / f"{file}.txt").read_text().splitlines() if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}


def requirements() -> list[Requirement]:
    extras = PROJECT["optional-dependencies"].values()
    return [Requirement(text) for texts in (PROJECT["dependencies"], *extras) for text in texts]


@pytest.mark.parametrize("file", [*CONSTRAINTS, "mwaa-essential-3.3.1"])
def test_the_wheel_asks_for_nothing_that_the_constraints_forbid(file):
    pinned = constraints(file)
    # The essential ones are few; a package that is in no other constraints would have no version of Airflow's choice.
    compared = [each for each in requirements() if canonicalize_name(each.name) in pinned]
    assert file not in CONSTRAINTS or len(compared) == len(requirements())
    assert compared
    for each in compared:
        assert each.specifier.contains(pinned[canonicalize_name(each.name)]), each


def test_it_pins_neither_airflow_nor_anything_else():
    assert {specifier.operator for each in requirements() for specifier in each.specifier} == {">="}


def test_what_airflow_3_1_has_elsewhere_comes_from_the_provider_for_it():
    """A cheap look for what `make verify` tries: airflow.sdk of 3.1 has fewer names."""
    paths = [path for folder in ("dags", "plugins") for path in (ROOT / folder).rglob("*.py")]
    allowed = "from airflow.sdk.exceptions import AirflowRuntimeError"
    elsewhere = re.compile(
        r"from airflow\.sdk\.(exceptions|configuration) import .*|from airflow\.sdk import .*Timetable.*"
    )
    found = {(path.name, line[0]) for path in paths for line in re.finditer(elsewhere, path.read_text())}
    assert {each for each in found if each[1] != allowed and each[0] != "airflow_releases.py"} == set()


def test_the_requirements_file_of_mwaa_names_the_wheel_and_leaves_versions_to_mwaa():
    text = (ROOT / "include/deploy/mwaa/requirements.txt").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert lines == ["--find-links /usr/local/airflow/plugins", f"{PROJECT['name']}=={PROJECT['version']}"]
    # MWAA's entrypoint searches the whole text, comments too: with this option, it would not use its own constraints.
    assert not re.search(r"-c |--constraint ", text)


def test_every_place_takes_the_dags_from_the_wheel_and_settings_that_exist():
    places = [ROOT / f"include/deploy/{file}" for file in ("mwaa/startup.sh", "helm/Dockerfile", "astro/Dockerfile")]
    for place in places:
        assert f"AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST='{BUNDLES}'" in place.read_text(), place
    exported = re.findall(r"^export (CTD_\w+)=(.+)$", places[0].read_text(), re.MULTILINE)
    values = yaml.safe_load((ROOT / "include/deploy/helm/values.yaml").read_text())
    in_pods = {each["name"]: each["value"] for each in yaml.safe_load(values["extraEnv"])}
    for settings in (dict(exported), in_pods):
        assert read_settings(settings).deployment_bucket == "my-deployment-bucket"


def test_the_values_are_ones_of_the_chart_and_fit_the_image():
    values = yaml.safe_load((ROOT / "include/deploy/helm/values.yaml").read_text())
    schema = (DATA / "helm-values.schema.json").read_text()
    jsonschema.validate(values, yaml.safe_load(schema))
    assert values["dagProcessor"]["dagBundleConfigList"] == yaml.safe_load(BUNDLES)
    assert yaml.safe_load(values["extraEnvFrom"])[0]["secretRef"]
    assert values["defaultAirflowTag"] == PROJECT["version"]
    dockerfile = (ROOT / "include/deploy/helm/Dockerfile").read_text()
    assert f"FROM apache/airflow:{values['airflowVersion']}-python3.12" in dockerfile
    assert f"constraints-{values['airflowVersion']}/constraints-3.12.txt" in dockerfile
    assert values["airflowVersion"] == constraints("airflow-3.3")["apache-airflow"]


@pytest.fixture
def installed(tmp_path, monkeypatch) -> Path:
    """A folder of DAG files, as a wheel would have installed it."""
    folder = tmp_path / "installed"
    folder.mkdir()
    (folder / "replay.py").write_text("one release")
    for module in (release, dag_bundle):
        monkeypatch.setattr(module, "INSTALLED_DAGS", folder)
    monkeypatch.setattr(release, "installed_release", lambda: "0.2.0-one")
    monkeypatch.setattr(dag_bundle, "installed_release", lambda: "0.2.0-one")
    return folder


@pytest.mark.parametrize("name", ["replay.py", "removed.py"])
def test_a_dag_file_of_another_release_is_refused(installed, tmp_path, name):
    (tmp_path / name).write_text("another release")
    with pytest.raises(MixedReleasesError, match=rf"{name} is not of release 0\.2\.0-one, which is installed"):
        check_dag_file(str(tmp_path / name))


def test_a_dag_file_of_this_release_is_accepted_wherever_it_lies(installed, tmp_path):
    (tmp_path / "replay.py").write_text("one release")
    check_dag_file(str(tmp_path / "replay.py"))
    check_dag_file(str(installed / "replay.py"))


def test_in_a_checkout_there_is_nothing_to_compare():
    assert not release.INSTALLED_DAGS.exists()
    check_dag_file(str(ROOT / "dags/replay.py"))
    with pytest.raises(MixedReleasesError, match="is not of a wheel"):
        release.installed_release()


def test_a_worker_of_another_release_refuses_the_runs_tasks(installed):
    same = InstalledDagBundle(name="clicks-to-deliveries", version="0.2.0-one")
    same.initialize()
    assert (same.path, same.get_current_version().version) == (installed, "0.2.0-one")
    with pytest.raises(MixedReleasesError, match=r"the run is of release 0\.1\.0-two, and 0\.2\.0-one is installed"):
        InstalledDagBundle(name="clicks-to-deliveries", version="0.1.0-two").initialize()


# Imports all of the package, loads the plugin, stores every DAG and reads what is no Python, from the wheel alone.
USE_IT = """
import importlib, json, pkgutil
from pathlib import Path

from airflow import plugins_manager
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.listeners.listener import get_listener_manager
from airflow.serialization import serialized_objects

bundle = DagBundlesManager().get_bundle("clicks-to-deliveries")
bundle.initialize()
try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:  # Airflow 3.1
    from airflow.models.dagbag import DagBag
bag = DagBag(bundle.path, include_examples=False) if "models" in DagBag.__module__ else DagBag(bundle.path)
serializer = getattr(serialized_objects, "DagSerialization", None) or serialized_objects.SerializedDAG
for dag in bag.dags.values():
    serializer.to_dict(dag)

import clicks_to_deliveries
for module in pkgutil.walk_packages(clicks_to_deliveries.__path__, "clicks_to_deliveries."):
    if not module.name.startswith("clicks_to_deliveries.dags"):
        importlib.import_module(module.name)
plugins_manager.ensure_plugins_loaded()

# What tasks send to OpenLineage and to the metrics' daemon; the provider would only log that this fails.
from clicks_to_deliveries.airflow_releases import task_stats
merge = bag.dags["scd2_merge"].get_task("merge")
merge.written = {"rows_inserted": 5}
(history,) = merge.get_openlineage_facets_on_complete(None).outputs
task_stats().incr("tried", 1)
task_stats().gauge("tried", 1.5)

from include import cloudformation, sql
from lambdas import bundle as lambda_bundle
files = [cloudformation.TEMPLATE, cloudformation.OPENAPI, lambda_bundle.REQUIREMENTS]
files += [lambda_bundle.ROOT / path for path in lambda_bundle.SHARED]
print(json.dumps({
    "dags": sorted(bag.dags),
    "errors": bag.import_errors,
    "lineage": [history.name, history.outputFacets["outputStatistics"].rowCount],
    "missing": [str(path) for path in files if not path.exists()],
    "sql": len(sql.render("merge/truck_telemetry_scd2.sql")),
    "listens": get_listener_manager().has_listeners,
    "code": str(Path(clicks_to_deliveries.__file__).parent),
    "release": str(bundle.get_current_version()),
}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [uv.find_uv_bin(), "build", "--quiet", "--wheel", "--out-dir", str(out), str(ROOT)]
    subprocess.run(command, check=True, timeout=120)
    (built,) = out.glob("*.whl")
    return built


@pytest.mark.verify
def test_it_holds_every_file_of_the_code_and_no_stand_in(wheel):
    names = subprocess.run(
        [sys.executable, "-m", "zipfile", "-l", str(wheel)], check=True, capture_output=True, text=True
    ).stdout
    packed = {line.split()[0] for line in names.splitlines()[1:] if ".dist-info/" not in line}
    folders = ("include", "lambdas", "sql", "plugins", "dags")
    listed = subprocess.run(["git", "ls-files", *folders], cwd=ROOT, check=True, capture_output=True, text=True)
    unneeded = re.compile(r"include/(local|deploy)/|include/requirements/(?!lambdas)|.*/\.\w+")
    wanted = {
        re.sub(r"^dags/", "clicks_to_deliveries/dags/", file.removeprefix("plugins/"))
        for file in listed.stdout.split()
        if not unneeded.match(file)
    }
    # Of the checkout, if it has some: those of an earlier `make wheel`.
    packed = {name for name in packed if not name.startswith("lambdas/dependencies/")}
    assert packed == wanted


@pytest.mark.verify
@pytest.mark.parametrize("file", CONSTRAINTS)
def test_it_works_in_each_airflow_without_the_repository(wheel, tmp_path, file):
    environment = tmp_path / "environment"
    binary = uv.find_uv_bin()
    python = environment / "bin/python"
    subprocess.run([binary, "venv", "--quiet", "--python", sys.executable, str(environment)], check=True, timeout=60)
    install = [binary, "pip", "install", "--quiet", "--python", str(python), "--constraint", str(DATA / f"{file}.txt")]
    subprocess.run([*install, f"{wheel}[telemetry]"], check=True, timeout=250)
    settings = {
        "AIRFLOW_HOME": str(tmp_path / "home"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": BUNDLES,
        "CTD_DEPLOYMENT_BUCKET": "bucket",
    }
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHONPATH"))}
    done = subprocess.run(
        [str(python), "-c", USE_IT], cwd=tmp_path, env=variables | settings, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = yaml.safe_load(done.stdout.splitlines()[-1])
    assert (found["errors"], found["missing"]) == ({}, [])
    assert found["dags"] == sorted(path.stem for path in (ROOT / "dags").glob("*.py"))
    assert found["sql"] > 1000
    assert found["lineage"] == ["ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_DATA", 5]
    assert found["listens"]
    assert found["code"].startswith(str(environment))
    assert re.search(rf"{re.escape(PROJECT['version'])}-[0-9a-f]{{12}}", found["release"])
