"""The buttons on a task's page, and what a form accepts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import ParamValidationError
from clicks_to_deliveries import operator_links as buttons
from clicks_to_deliveries.defaults import danger_access
from clicks_to_deliveries.operators.killable import Killable

from include.settings import settings

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
EVERY_BUTTON = [each for each in vars(buttons).values() if isinstance(each, buttons.Button)]


@pytest.fixture(scope="module")
def dagbag() -> DagBag:
    return DagBag(ROOT / "dags", collect_dags=True, bundle_path=ROOT / "dags")


@pytest.fixture
def configured(monkeypatch):
    given = {
        "CTD_REPOSITORY_URL": "https://git.example.com/blob/main/",
        "CTD_DASHBOARD_URL": "https://dashboard.example.com/",
        "CTD_SNOWFLAKE_ACCOUNT": "myorg-prod",
        "AIRFLOW_CONN_AWS_DEPLOYER": '{"conn_type": "aws", "extra": {"region_name": "eu-central-1"}}',
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    yield
    settings.cache_clear()


def address(button: buttons.Button, dag_id: str = "scd2_merge") -> str:
    operator = SimpleNamespace(dag_id=dag_id, aws_conn_id="aws_deployer")
    return button.get_link(operator, ti_key=None)


def test_every_address_is_whole(configured):
    assert address(buttons.RUNBOOK) == "https://git.example.com/blob/main/docs/runbooks/scd2_merge.md"
    assert address(buttons.PIPE).startswith("https://app.snowflake.com/myorg/prod/#/data/databases/ECOMMERCE_DATA/")
    assert address(buttons.STACK) == (
        "https://eu-central-1.console.aws.amazon.com/cloudformation/home?region=eu-central-1"
        "#/stacks?filteringText=clicks-to-deliveries"
    )
    for button in EVERY_BUTTON:
        assert urlsplit(address(button)).scheme == "https", button.name
    assert len({button.xcom_key for button in EVERY_BUTTON}) == len({button.name for button in EVERY_BUTTON}) == 11


def test_a_button_without_its_setting_has_no_address():
    unset = [button for button in EVERY_BUTTON if button is not buttons.STACK]
    assert [address(button) for button in unset] == [""] * len(unset)


def test_the_parts_of_the_dashboard_exist(configured):
    page = (ROOT / "dashboard/app_pages/pipeline_health/page.py").read_text()
    parts = [parse_qs(urlsplit(address(button)).query).get("part") for button in EVERY_BUTTON]
    named = [part for (part,) in filter(None, parts)]
    assert len(named) == 6
    assert [part for part in named if f'"{part}": ' not in page] == []


def test_every_operator_has_the_runbook(dagbag):
    for dag in dagbag.dags.values():
        for task in dag.tasks:
            if isinstance(task, Killable):
                assert buttons.RUNBOOK in task.operator_extra_links, task.task_id


@pytest.mark.parametrize(
    ("dag_id", "field", "refused"),
    [
        ("erase_truck", "truck_id", "TRK001 "),
        ("erase_truck", "truck_id", "TRK001\nTRK002"),
        ("fleet_register", "reported_id", " TRK001"),
        ("repair_history", "truck_id", " "),
        ("repair_history", "since", "yesterday"),
        ("replay", "reasons", ["not_jason"]),
        ("teardown_resources", "confirm", "clicks-to-delivery"),
        ("teardown_resources", "confirm", "clicks-to-deliveries2"),
    ],
)
def test_a_form_refuses_what_is_mistyped(dagbag, dag_id, field, refused):
    param = dagbag.dags[dag_id].params.get_param(field)
    with pytest.raises(ParamValidationError):
        param.resolve(refused)


@pytest.mark.parametrize(
    ("dag_id", "field", "accepted"),
    [
        ("erase_truck", "truck_id", "TRK 001-Ä"),
        ("erase_truck", "truck_id", f'"{"T" * 63} "'),
        ("fleet_register", "reported_id", '" TRK001"'),
        ("fleet_register", "truck_id", "T"),
        ("repair_history", "truck_id", None),
        ("replay", "reasons", ["not_json", "not_processed"]),
        ("teardown_resources", "confirm", "clicks-to-deliveries"),
    ],
)
def test_a_form_takes_what_is_right(dagbag, dag_id, field, accepted):
    assert dagbag.dags[dag_id].params.get_param(field).resolve(accepted) == accepted


def test_roles_get_rights_to_the_dangerous_dags_alone(monkeypatch):
    rights = danger_access("Erasers, Platform")
    assert rights == dict.fromkeys(("Erasers", "Platform"), rights["Erasers"])
    assert danger_access(" ,") is None
    monkeypatch.setenv("CTD_AIRFLOW_DANGER_ROLES", "Erasers")
    settings.cache_clear()
    try:
        found = DagBag(ROOT / "dags", collect_dags=True, bundle_path=ROOT / "dags").dags
    finally:
        settings.cache_clear()
    assert {dag_id for dag_id, dag in found.items() if dag.access_control} == {"erase_truck", "teardown_resources"}
    assert set(found["erase_truck"].access_control) == {"Erasers"}
