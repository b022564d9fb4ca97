"""Who may approve, and what a run that only counts does."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.standard.exceptions import HITLTimeoutError
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from clicks_to_deliveries.failures import FormError
from clicks_to_deliveries.operators import count_deployment
from clicks_to_deliveries.operators.approval import ApproveOperator
from clicks_to_deliveries.operators.count_deployment import CountDeploymentOperator
from snowflake.connector.errors import ProgrammingError

from include import names

pytestmark = pytest.mark.unit


def approve(approval: str = "second-person", only_count: str = "False") -> ApproveOperator:
    return ApproveOperator(task_id="approve", subject="Delete?", body="all", approval=approval, only_count=only_count)


def answered(operator: ApproveOperator, starter: str | None, person: str, option: str = "Approve") -> Any:
    user = {"id": "7", "name": person}
    event = {"chosen_options": [option], "params_input": {}, "responded_at": datetime.now(UTC)}
    context = {"dag_run": SimpleNamespace(triggering_user_name=starter)}
    return operator.execute_complete(context, event | {"responded_by_user": user})


def test_a_run_that_only_counts_asks_nobody():
    with pytest.raises(AirflowSkipException, match="only counts"):
        approve(only_count="True").execute({})


def test_a_rendered_text_that_is_no_boolean_deletes_nothing():
    with pytest.raises(AirflowSkipException):
        approve(only_count="").execute({})


def test_with_none_nobody_is_asked():
    assert approve("none").execute({}) is None


@pytest.mark.parametrize(
    ("approval", "starter"), [("second-person", "anna"), ("second-person", None), ("anyone", "ben"), ("anyone", "anna")]
)
def test_others_may_approve_and_anyone_may_if_the_setting_says_so(approval, starter):
    assert answered(approve(approval), starter, "ben")["chosen_options"] == ["Approve"]


@pytest.mark.parametrize("starter", ["ben", "7"])
def test_nobody_approves_an_own_run(starter):
    with pytest.raises(FormError, match=f"{starter} started this run, so a second person must approve it"):
        answered(approve(), starter, "ben")


def test_whoever_started_a_run_may_reject_it():
    assert answered(approve(), "ben", "ben", "Reject")["chosen_options"] == ["Reject"]


def test_no_answer_deletes_nothing():
    event = {"error": "no answer", "error_type": "timeout"}
    with pytest.raises(HITLTimeoutError):
        approve().execute_complete({}, event)
    assert approve().retries == 0


class Tables:
    """A Snowflake in which one table is gone."""

    def close(self) -> None: ...


@pytest.fixture
def tables(monkeypatch):
    def count(_: Any, statement: str) -> tuple[int]:
        if names.LEDGER_TABLE in statement:
            raise ProgrammingError("does not exist")
        return (1234,)

    monkeypatch.setattr(count_deployment, "connect", lambda _: Tables())
    monkeypatch.setattr(count_deployment, "first_row", count)


def counts(*, empty_bucket: str, drop: str) -> dict[str, str]:
    operator = CountDeploymentOperator(task_id="count", bucket="telemetry", empty_bucket=empty_bucket, drop=drop)
    return operator.execute({})


def test_objects_and_rows_are_counted(aws, tables, monkeypatch):
    s3 = aws("s3")
    location = {"LocationConstraint": "eu-central-1"}
    for bucket in ("telemetry", "telemetry-abandoned"):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=location)
    for key in ("one", "two", "three"):
        s3.put_object(Bucket="telemetry", Key=key, Body=b"reading")
    assert counts(empty_bucket="True", drop="False") == {
        "bucket telemetry": "3 objects and old versions",
        "bucket telemetry-abandoned": "0 objects and old versions",
    }
    monkeypatch.setattr(count_deployment, "MOST_OBJECTS", 2)
    found = counts(empty_bucket="True", drop="True")
    assert found["bucket telemetry"] == "more than 2 objects and old versions"
    assert found[f"table {names.RAW_TABLE}"] == "1,234 rows"
    assert "does not exist" in found[f"table {names.LEDGER_TABLE}"]
    with pytest.raises(AirflowFailException, match="bucket telemetry holds objects"):
        counts(empty_bucket="False", drop="False")


def test_what_is_gone_has_no_count(aws):
    assert counts(empty_bucket="False", drop="False") == {}
