"""Environments: CTD_ENVIRONMENT is part of every name that two environments of one account would share."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import Asset
from streamlit.testing.v1 import AppTest

from include import naming
from include.cloudformation import TEMPLATE
from include.cloudformation.render import render
from include.naming import EnvironmentNameError, read_environment
from include.settings import LONGEST_STACK_NAME, Settings, SettingsError, read_settings
from tests.fixtures.environments import imported_in
from tests.fixtures.named_template import named_template

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
# Beside sql/ddl, the statements that name the database or a role.
SQL_OF_NAMES = (
    "ops/drop_everything.sql", "ops/recreate_stream.sql",
    *(f"governance/{file.name}" for file in sorted((ROOT / "sql" / "governance").glob("*.sql"))),
)  # fmt: skip
BUCKET = {"CTD_DEPLOYMENT_BUCKET": "deployment"}
# Names that lie inside a bucket, a table, an API or the database, or that every account has.
INSIDE = {
    "CLICK_INDEX", "LANDING_PREFIX", "QUARANTINE_PREFIX", "RESOLVED_PREFIX", "ARCHIVE_PREFIX", "ARCHIVE_ERROR_PREFIX",
    "ON_FAILURE_PREFIX", "ABANDONED_PREFIX", "SCHEDULER_HEARTBEAT", "TRIGGERER_HEARTBEAT", "ABANDONED_BATCHES_METRIC",
    "ARCHIVE_ERRORS_METRIC", "ALERT_SUBSCRIBERS_METRIC", "API_STAGE", "SCHEMA", "FILE_FORMAT", "STAGE", "PIPE",
    "RAW_TABLE", "RAW_STREAM", "PLAUSIBILITY_STREAM", "HISTORY_TABLE", "KNOWN_TRUCKS_TABLE", "FLEET_VIEW",
    "ASSIGNMENTS_TABLE", "TRUCK_HISTORY_VIEW", "QUALITY_RESULTS_TABLE", "FINDINGS_TABLE", "MERGE_RUNS_TABLE",
    "LEDGER_TABLE", "ALERTS_TABLE", "WRITERS_TABLE", "HISTORY_WRITER", "QUALITY_WRITER", "LEDGER_WRITER",
    "REGISTER_WRITER", "OWNER", "CONSUMER_VIEW", "POSITION_POLICY", "PERSONAL_DATA_TAG", "AUTHENTICATION_POLICY",
}  # fmt: skip
# Properties of the template that give a resource its name.
NAME_PROPERTIES = ("Name", "TableName", "FunctionName", "LogGroupName", "TopicName", "DashboardName", "BucketName")


def report(environment: str) -> dict[str, Any]:
    """What the code of an environment calls things."""
    with imported_in(environment):
        from include import assets, names, snowflake_identities, sql
        from include.settings import settings

        bag = DagBag(ROOT / "dags", collect_dags=True, bundle_path=ROOT / "dags")
        assert bag.import_errors == {}
        tasks = [task for dag in bag.dags.values() for task in dag.tasks]
        conditions = [dag.timetable.asset_condition for dag in bag.dags.values()]
        watched = {asset.name for condition in conditions if condition for asset in condition.objects}
        files = [path.relative_to(sql.SQL_DIRECTORY).as_posix() for path in sql.SQL_DIRECTORY.glob("ddl/*.sql")]
        parameters = {
            "storage_role_arn": "role", "telemetry_bucket": "bucket", "credit_quota": "1", "allowed_ips": "10.0.0.1",
            "masked": "true", "error_integration": "PIPE_ERRORS",
        }  # fmt: skip
        keys = {f"{job}_public_key": "key" for job in snowflake_identities.JOBS}
        return {
            "dags": set(bag.dags),
            "pools": {task.pool for task in tasks} - {"default_pool"},
            "connections": {
                value
                for task in tasks
                for name, value in vars(task).items()
                if name.endswith("_conn_id") and isinstance(value, str)
            },
            "assets": watched | {outlet.name for task in tasks for outlet in task.outlets},
            "addresses": {asset.uri for asset in vars(assets).values() if isinstance(asset, Asset)},
            "names": {key: value for key, value in vars(names).items() if key.isupper() and isinstance(value, str)},
            "settings": [settings().deployment_bucket, settings().telemetry_bucket, settings().stack_name],
            "channels": settings().alert_channels,
            "prefix": next(task.parameters["NamePrefix"] for task in tasks if task.task_id == "deploy_stack"),
            "sql": "".join(
                [
                    *(sql.render(path, **parameters) for path in [*files, *SQL_OF_NAMES]),
                    sql.render(snowflake_identities.BOOTSTRAP, **keys),
                ]
            ),
        }


@pytest.fixture(scope="module")
def seed() -> dict[str, Any]:
    return report("")


@pytest.fixture(scope="module")
def staging() -> dict[str, Any]:
    return report("staging")


def physical_names(prefix: str) -> set[str]:
    """What the template names itself; CloudFormation derives the other names from the stack's."""
    resources = named_template(json.loads(render(TEMPLATE)), prefix)["Resources"].values()
    values = [each["Properties"].get(name) for each in resources for name in NAME_PROPERTIES if "Properties" in each]
    # A bucket's name is a parameter, and a Ref is the name of another resource.
    return {value for value in values if isinstance(value, str)}


def test_no_physical_name_of_the_template_is_in_two_environments():
    seed, staging, test = physical_names(""), physical_names("staging-"), physical_names("test-")
    assert len(seed) == len(staging) == len(test) > 15
    assert len(seed | staging | test) == 3 * len(seed)


def test_every_text_of_the_template_that_is_a_name_follows_the_environment():
    """Policies, metrics and prefixes name resources too: none is left that only the seed's names fit."""
    text = json.dumps(named_template(json.loads(render(TEMPLATE)), "staging-")["Resources"])
    found = {name for name in physical_names("") if re.search(rf'(?<![\w-])"?{re.escape(name)}"', text)}
    assert found == set()


def test_every_name_of_an_account_differs_and_the_inner_ones_do_not(seed, staging):
    same = {name for name, value in seed["names"].items() if staging["names"][name] == value}
    assert same == INSIDE


def test_everything_in_airflow_differs(seed, staging):
    for kind in ("dags", "pools", "connections", "assets"):
        assert seed[kind], kind
        assert staging[kind] == {f"staging_{name}" for name in seed[kind]}, kind
    assert len(seed["addresses"]) > 5
    assert not seed["addresses"] & staging["addresses"]
    assert (seed["channels"], staging["channels"]) == ("aws_default", "staging_aws_default")


def test_buckets_and_stack_carry_it_whoever_named_them(seed, staging):
    assert seed["settings"] == ["deployment-bucket-of-tests", "kinesis-telemetry-data-bucket", "clicks-to-deliveries"]
    assert staging["settings"] == [f"staging-{name}" for name in seed["settings"]]
    assert (seed["prefix"], staging["prefix"]) == ("", "staging-")


def test_a_statement_for_one_environment_names_nothing_of_another(seed, staging):
    kinds = "WAREHOUSE|ROLE|DATABASE|INTEGRATION|MONITOR|NETWORK"
    of_account = [seed["names"][name] for name in seed["names"] if re.search(kinds, name)]
    assert len(of_account) == 13
    code = re.sub(r"--.*|'[^']*'", "", staging["sql"])
    for name in of_account:
        assert re.search(rf"\bSTAGING_{name}\b", code), name
        assert not re.search(rf"\b{name}\b", code), name


def test_without_an_environment_the_names_are_the_seeds(seed):
    assert "STAGING" not in seed["sql"]
    assert seed["names"]["CLICK_STREAM"] == "ClickDataStream"
    assert seed["names"]["DATABASE"] == "ECOMMERCE_DATA"
    assert {"scd2_merge", "provision_resources"} < seed["dags"]


def test_no_name_of_one_environment_can_be_a_name_of_another(seed):
    """If "b" is a name and "a-b" is too, then an environment "a" would take it."""
    of_account = {name: value for name, value in seed["names"].items() if name not in INSIDE}
    connections = {value for name, value in of_account.items() if name.endswith("CONNECTION")}
    others = {*of_account.values(), *physical_names(""), *seed["settings"]} - connections
    for kind in (connections, seed["dags"], seed["assets"], others):
        for one, other in itertools.permutations(kind, 2):
            front = one.lower().removesuffix(other.lower())
            assert one.lower() == front or not re.fullmatch(rf"{naming.PATTERN}[-_]", front), (one, other)


@pytest.mark.parametrize(
    "name", ["Staging", "a-b", "a_b", "1st", "a b", "ä", "x" * 17, "staging ", "sthree", "st.aging", "staging\n"]
)
def test_an_environment_that_some_name_can_not_contain_is_refused(name):
    with pytest.raises(EnvironmentNameError, match=r"CTD_ENVIRONMENT.*1 to 16 lower-case letters and digits"):
        read_environment({"CTD_ENVIRONMENT": name})
    with pytest.raises(SettingsError, match="CTD_ENVIRONMENT"):
        read_settings(BUCKET | {"CTD_ENVIRONMENT": name})


def test_the_longest_environment_fits_into_every_name():
    environment = "x" * 16
    limits = {"FunctionName": 64, "Name": 128, "TableName": 255, "TopicName": 256, "LogGroupName": 512}
    for resource in named_template(json.loads(render(TEMPLATE)), f"{environment}-")["Resources"].values():
        for name, limit in limits.items():
            value = resource.get("Properties", {}).get(name)
            assert not isinstance(value, str) or len(value) <= limit
    assert len(read_settings(BUCKET | {"CTD_ENVIRONMENT": environment}).telemetry_bucket) <= 53
    pattern = json.loads(render(TEMPLATE))["Parameters"]["NamePrefix"]["AllowedPattern"]
    assert re.fullmatch(pattern, f"{environment}-")
    assert re.fullmatch(pattern, "")


def test_a_bucket_that_is_too_long_with_the_environment_is_refused():
    given = BUCKET | {"CTD_TELEMETRY_BUCKET": "b" * 50}
    assert read_settings(given).telemetry_bucket == "b" * 50
    with pytest.raises(SettingsError, match="length <= 53"):
        read_settings(given | {"CTD_ENVIRONMENT": "staging"})


def test_a_stack_name_that_cloudformation_would_shorten_is_refused_where_the_stack_role_makes_the_roles():
    given = BUCKET | {"CTD_ENVIRONMENT": "development"}
    role = {"CTD_STACK_ROLE_ARN": "arn:aws:iam::123456789012:role/identities/x"}
    assert len(read_settings(given).stack_name) == LONGEST_STACK_NAME + 1
    with pytest.raises(SettingsError, match=r"CTD_STACK_NAME is 'development-clicks-to-deliveries'.*shorter"):
        read_settings(given | role)
    assert read_settings(given | role | {"CTD_STACK_NAME": "clicks"}).stack_name == "development-clicks"
    resources = json.loads(render(TEMPLATE))["Resources"]
    longest = max(len(name) for name, each in resources.items() if each["Type"] == "AWS::IAM::Role")
    assert LONGEST_STACK_NAME + 1 + longest + 1 + 12 <= 64


def test_the_environment_is_a_setting():
    assert read_settings(BUCKET | {"CTD_ENVIRONMENT": "staging"}).environment == "staging"
    assert read_settings(BUCKET).environment == Settings(deployment_bucket="x").environment == ""


@pytest.mark.parametrize("environment", ["staging", ""])
def test_the_dashboard_names_its_environment(monkeypatch, environment):
    def sidebar() -> None:
        from dashboard import ui

        ui.sidebar()

    monkeypatch.setattr(naming, "ENVIRONMENT", environment)
    page = AppTest.from_function(sidebar).run()
    assert not page.exception
    badges = [each.value for each in page.sidebar.markdown if ":material/dns:" in each.value]
    assert [environment in badge for badge in badges] == [True] * bool(environment)
