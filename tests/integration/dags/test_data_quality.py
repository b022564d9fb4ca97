"""data_quality on the local stack: it stores what rules find, and one alert, and then fails the run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from clicks_to_deliveries.operators import send_alerts
from clicks_to_deliveries.operators.check_quality import CheckQualityOperator, QualityFailed
from clicks_to_deliveries.operators.send_alerts import SendAlertsOperator

from include import names, quality, snowflake_rows, sql
from include.alerts.delivery import NotSentError
from include.contracts import ClickEvent, Envelope
from include.contracts.times import to_canonical
from include.quality import checks, rule_results
from lambdas.kinesis_to_dynamodb.logic import click_item
from tests.fixtures.tables import tables

pytestmark = pytest.mark.integration

RESULTS = f"select RULE, SEVERITY, STATUS, FAILED_COUNT, SAMPLES, MESSAGE from {names.QUALITY_RESULTS_TABLE}"


@pytest.fixture(scope="module")
def dynamodb(stack: Any) -> Iterator[Any]:
    with tables(stack.aws("dynamodb")) as client:
        yield client


@pytest.fixture(autouse=True)
def _clean(stack: Any, dynamodb: Any) -> None:
    for table in (names.RAW_TABLE, names.HISTORY_TABLE, names.QUALITY_RESULTS_TABLE, names.FINDINGS_TABLE):
        stack.query(f"delete from {table}")
    stack.stored_alerts()


def results(stack: Any, run_id: str) -> dict[str, tuple]:
    """The stored (severity, status, count, samples, message) by rule."""
    rows = stack.query(f"{RESULTS} where RUN_ID = %(run_id)s", {"run_id": run_id})
    assert len({row[0] for row in rows}) == len(rows)
    return {rule: found for rule, *found in rows}


def add_version(stack: Any, truck: str, start: str, end: str | None) -> None:
    statement = (
        f"insert into {names.HISTORY_TABLE} (TRUCK_ID, LOAD_TIMESTAMP, EFFECTIVE_START_DATE, EFFECTIVE_END_DATE, "
        "IS_CURRENT, GPS_LATITUDE) values (%(truck)s, sysdate(), %(start)s, %(end)s, %(current)s, 1)"
    )
    stack.query(statement, {"truck": truck, "start": start, "end": end, "current": end is None})


def add_backward_version(stack: Any, truck: str = "TRK001") -> None:
    """Three rules find it: it is not current, and it ends before it starts."""
    add_version(stack, truck, "2026-11-22 13:00:00", "2026-11-22 12:00:00")


def rule(name: str, statement: str, severity: str = "fail", **more: Any) -> quality.Rule:
    return quality.Rule(
        name=name, severity=severity, owner="o", meaning="m", action="a", runbook="r", statement=statement, **more
    )


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replaces the rules."""

    def only(*rules: quality.Rule) -> None:
        monkeypatch.setattr(quality, "read", lambda: (rules, ()))

    return only


@pytest.fixture
def check(stack: Any) -> Callable[..., dict[str, tuple]]:
    """Runs the operator alone, as a new run unless ``run_id`` is given; returns the results that it stored."""
    runs = (f"run-{number}" for number in count(1))

    def check(run_id: str = "") -> dict[str, tuple]:
        run_id = run_id or next(runs)
        operator = CheckQualityOperator(task_id="check_quality", index_shards=1)
        with suppress(QualityFailed):
            task = {"dag_id": "data_quality", "task_id": "check_quality", "run_id": run_id, "try_number": 1}
            instance = SimpleNamespace(**task, xcom_push=lambda key, value: None)
            operator.execute({"run_id": run_id, "ti": instance})
        return results(stack, run_id)

    return check


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that check rules."""
    texts = []

    def rows_by_column(connection: Any, statement: str, *arguments: Any, **options: Any) -> Any:
        texts.append(statement)
        return snowflake_rows.rows_by_column(connection, statement, *arguments, **options)

    monkeypatch.setattr(checks, "rows_by_column", rows_by_column)
    return texts


def statuses(found: dict[str, tuple]) -> dict[str, str]:
    return {name: status for name, (_, status, *_) in found.items()}


def notified(stack: Any) -> list[str]:
    return [alert["Subject"].split()[0] for alert in stack.stored_alerts()]


RULES_OF = re.compile("as RULE,")
PASSES = rule("passes", "select 1 as SAMPLE_KEY where false")
FAILS = rule("fails", "select column1 as SAMPLE_KEY from values ('{{ 1/0 }}'), ('b')")


@pytest.mark.verify
def test_people_are_notified_of_a_failure_once_and_of_its_end_once(stack: Any, run: Callable, only: Callable) -> None:
    add_backward_version(stack)
    first = run("data_quality")
    assert str(first.state) == "failed"
    severity, status, failed, samples, _ = results(stack, first.run_id)["versions_start_before_they_end"]
    assert (severity, status, failed) == ("fail", "fail", 1)
    assert ["TRK001" in sample for sample in json.loads(samples)] == [True]
    assert set(results(stack, first.run_id)) == {rule.name for rule in quality.rules()}
    (alert,) = stack.stored_alerts()
    assert alert["Subject"].startswith("[failed] data_quality: ")
    for part in (
        "versions_start_before_they_end: 1 offending key, since 20",
        "one_current_version_per_truck: 1 offending key",
        "TRK001 2026-11-22 13:00:00",
        "Run the DAG repair_history",
        "docs/runbooks/data_quality.md#the-history-is-wrong",
        first.run_id,
    ):
        assert part in alert["Message"]
    # Only a warning, which notifies nobody.
    assert "trucks_report" not in alert["Message"]
    assert results(stack, first.run_id)["trucks_report"][:3] == ["warn", "fail", 3]

    # The rules that passed are no part of this.
    only(*(rule for rule in quality.rules() if results(stack, first.run_id)[rule.name][1] == "fail"))
    assert str(run("data_quality").state) == "failed"
    assert stack.stored_alerts() == []

    stack.query(f"delete from {names.HISTORY_TABLE}")
    assert str(run("data_quality").state) == "success"
    (over,) = stack.stored_alerts()
    assert over["Subject"].startswith("[recovered] data_quality: ")
    assert re.search(r"versions_start_before_they_end passes again, after \d+ min \d+ s", over["Message"])


def test_the_same_run_again_replaces_its_results_and_notifies_nobody_again(
    stack: Any, check: Callable, only: Callable
) -> None:
    only(*(rule for rule in quality.rules() if rule.name == "versions_start_before_they_end"))
    add_backward_version(stack)
    check("run")
    assert notified(stack) == ["[failed]"]
    assert check("run")["versions_start_before_they_end"][1] == "fail"
    assert notified(stack) == []
    stack.query(f"delete from {names.HISTORY_TABLE}")
    assert check("run")["versions_start_before_they_end"][1] == "pass"
    assert notified(stack) == ["[recovered]"]


def test_a_crash_before_the_commit_stores_neither_results_nor_alerts_and_the_next_run_both(
    stack: Any, check: Callable, only: Callable
) -> None:
    def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    only(FAILS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rule_results, "store_alerts", crash)
        with pytest.raises(KeyboardInterrupt):
            check()
    assert results(stack, "run-1") == {}
    check()
    check()
    assert notified(stack) == ["[failed]"]


def test_what_is_stored_is_sent_once_the_topic_is_up_and_the_run_is_red_until_then(
    stack: Any, check: Callable, only: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(FAILS)
    check()
    # Outside of a task there are no Variables.  The check has resumed the warehouse.
    monkeypatch.setattr(send_alerts.Variables, "keys", lambda self, prefix: [])
    send = SendAlertsOperator(task_id="send", about="findings", channels="aws_default", topic_arn=stack.topic_arn)
    down = SendAlertsOperator(
        task_id="down", about="findings", channels="aws_default", topic_arn=f"{stack.topic_arn}-gone"
    )
    for _ in range(2):
        with pytest.raises(NotSentError, match="1 of 1 alerts wait: aws_default: "):
            down.execute({})
    assert send.execute({}) == 1
    assert send.execute({}) == 0
    assert [alert["Subject"] for alert in stack.alerts()] == ["[failed] data_quality: fails"]


def test_a_notification_quotes_samples_unchanged(stack: Any, check: Callable, only: Callable) -> None:
    only(FAILS)
    check()
    (alert,) = stack.stored_alerts()
    assert "samples  b, {{ 1/0 }}" in alert["Message"]


def test_a_rule_that_can_not_run_is_a_failure_and_stops_no_other(stack: Any, check: Callable, only: Callable) -> None:
    broken = {
        "no_table": "select SAMPLE_KEY from NOWHERE",
        "no_sql": "select SAMPLE_KEY from",
        "no_key": "select 1 as OTHER",
        "no_query": "delete from KNOWN_TRUCKS",
    }
    only(*(rule(name, statement, severity="warn") for name, statement in broken.items()), PASSES)
    found = check()
    assert statuses(found) == dict.fromkeys(broken, "error") | {"passes": "pass"}
    assert found["no_table"][2:4] == [None, "[]"]
    assert "NOWHERE" in found["no_table"][4]
    assert stack.query("select count(*) from KNOWN_TRUCKS") == [(3,)]
    (alert,) = stack.stored_alerts()
    assert "no_table can't run, since" in alert["Message"]
    assert "docs/runbooks/data_quality.md#a-rule-could-not-run" in alert["Message"]


def test_rules_are_one_statement_and_one_that_could_not_run_is_alone_the_next_time(
    stack: Any, check: Callable, only: Callable, sent: list[str]
) -> None:
    more = rule("more", "select column1 as SAMPLE_KEY from values ('100%'), ('99%')")
    bounded = rule("bounded", f"select {sql.bind('since')} as SAMPLE_KEY where false")
    only(FAILS, PASSES, more, bounded)
    assert check()["more"][2:4] == [2, '["100%", "99%"]']
    assert [len(RULES_OF.findall(text)) for text in sent] == [3, 1]
    del sent[:]
    broken = rule("broken", "select SAMPLE_KEY from NOWHERE", severity="warn")
    only(FAILS, PASSES, more, broken)
    expected = {"fails": "fail", "passes": "pass", "more": "fail", "broken": "error"}
    assert statuses(check()) == expected
    assert [len(RULES_OF.findall(text)) for text in sent] == [4, 1, 1, 1, 1]
    del sent[:]
    assert statuses(check()) == expected
    assert sorted(len(RULES_OF.findall(text)) for text in sent) == [1, 3]


@pytest.mark.verify
def test_a_rule_that_takes_too_long_is_cancelled(
    check: Callable, only: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Alone, because on a busy machine another rule may take a second too.
    monkeypatch.setattr(checks, "RULE_TIMEOUT", timedelta(seconds=1))
    forever = "table(generator(rowcount => 100000000)) as A cross join table(generator(rowcount => 1000)) as B"
    only(rule("no_end", f"select count(*) as SAMPLE_KEY from {forever}", severity="warn"))
    found = check()
    assert statuses(found) == {"no_end": "error"}
    assert "of a timeout of 1 s" in found["no_end"][4]


def test_a_file_that_is_no_rule_is_a_failure_and_stops_no_other(
    check: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = quality.RuleError("broken", "the comment that opens the file lacks owner")
    monkeypatch.setattr(quality, "read", lambda: ((PASSES,), (broken,)))
    assert statuses(check()) == {"broken": "error", "passes": "pass"}


def test_when_the_time_is_used_up_what_is_left_has_failed(
    check: Callable, only: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "TIME_FOR_ALL", timedelta(0))
    only(PASSES)
    assert "not run: the rules before it took" in check()["passes"][4]


def test_people_are_notified_of_an_implausible_reading_once_and_the_run_succeeds(
    stack: Any, check: Callable, only: Callable
) -> None:
    only(*(rule for rule in quality.rules() if rule.relation))
    check()
    stack.query(
        f"insert into {names.RAW_TABLE} (TRUCK_ID, EVENT_TIME, GPS_LATITUDE, GPS_LONGITUDE, STREAM_NAME, SHARD_ID, "
        "SEQUENCE_NUMBER, ARRIVAL_TIME, FILE_NAME, FILE_ROW_NUMBER, LOAD_TIMESTAMP) "
        "select 'TRK001', sysdate(), 0, 0, 'TruckTelemetry', 'shardId-0', '1', sysdate(), 'f', 1, sysdate()"
    )
    severity, status, failed, samples, _ = check()["positions_are_on_roads"]
    assert (severity, status, failed) == ("warn", "fail", 1)
    assert json.loads(samples)[0].startswith("TRK001 1 reading at 20")
    check()
    (alert,) = stack.stored_alerts()
    assert alert["Subject"] == "[warning] data_quality: positions_are_on_roads"
    assert "TRK001 1 reading at 20" in alert["Message"]
    assert "the run does not fail" in alert["Message"]
    # A day passes.
    stack.query(f"update {names.FINDINGS_TABLE} set LAST_FOUND_AT = dateadd('hour', -25, LAST_FOUND_AT)")
    check()
    check()
    (alert,) = stack.stored_alerts()
    assert alert["Subject"] == "[recovered] data_quality: positions_are_on_roads"


def test_a_rule_that_is_turned_off_by_an_unknown_name_is_refused(only: Callable) -> None:
    only(PASSES)
    operator = CheckQualityOperator(task_id="check_quality", index_shards=1, rules_off="passse")
    with pytest.raises(AirflowFailException, match="CTD_QUALITY_RULES_OFF names passse, which is no rule"):
        operator.execute({"run_id": "run"})


READS_STATES = rule("of_states", "select TRUCK_ID as SAMPLE_KEY from STAGED_TRUCK_STATES", reads=("truck_states",))
READS_CLICKS = rule(
    "of_clicks",
    "select ITEM_ID || ' ' || ITEM_NAME || ' ' || CLICK_COUNTS::integer::string as SAMPLE_KEY "
    "from STAGED_RECENT_CLICKS inner join STAGED_CLICK_ITEMS using (ITEM_ID, ITEM_NAME)",
    reads=("recent_clicks", "click_items"),
)


def test_rules_read_dynamodb_beside_snowflake(check: Callable, only: Callable, dynamodb: Any) -> None:
    now = to_canonical(datetime.now(UTC))
    click = click_item(
        ClickEvent("MOB001", "Mobile", now, 3),
        Envelope(names.CLICK_STREAM, "shardId-000000000000", "49", now, "key"),
        ingested_at=now,
        index_shards=1,
    )
    dynamodb.put_item(TableName=names.CLICK_TABLE, Item=click)
    item = {"Item_ID": {"S": "MOB001"}, "Item_Name": {"S": "Mobile"}}
    dynamodb.put_item(TableName=names.CLICK_ITEM_TABLE, Item=item)
    state = {"Truck_ID": {"S": "TRK001"}, "fuel_level": {"N": "1e-130"}}
    dynamodb.put_item(TableName=names.TRUCK_STATE_TABLE, Item=state)
    try:
        only(READS_STATES, READS_CLICKS)
        found = check()
        assert json.loads(found["of_states"][3]) == ["TRK001"]
        assert json.loads(found["of_clicks"][3]) == ["MOB001 Mobile 3"]
    finally:
        dynamodb.delete_item(TableName=names.CLICK_TABLE, Key={name: click[name] for name in ("Timestamp", "Item_ID")})
        dynamodb.delete_item(TableName=names.CLICK_ITEM_TABLE, Key={"Item_ID": item["Item_ID"]})
        dynamodb.delete_item(TableName=names.TRUCK_STATE_TABLE, Key={"Truck_ID": state["Truck_ID"]})


@pytest.mark.parametrize("fault", ["unreachable", "no_table"])
def test_where_dynamodb_does_not_answer_the_rules_that_read_it_have_failed(
    check: Callable, only: Callable, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    if fault == "unreachable":
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")
    else:
        monkeypatch.setattr(names, "TRUCK_STATE_TABLE", "NoSuchTable")
        monkeypatch.setattr(names, "CLICK_ITEM_TABLE", "NoSuchTable")
    only(READS_STATES, READS_CLICKS, PASSES)
    found = check()
    assert statuses(found) == {"of_states": "error", "of_clicks": "error", "passes": "pass"}
    assert found["of_states"][4].startswith("could not read truck_states: ")


def test_a_rule_removed_while_it_fails_is_notified_and_forgotten(stack: Any, check: Callable, only: Callable) -> None:
    only(FAILS)
    check()
    only(PASSES)
    assert statuses(check()) == {"fails": "removed", "passes": "pass"}
    assert statuses(check()) == {"passes": "pass"}
    subjects = {alert["Subject"]: alert["Message"] for alert in stack.stored_alerts()}
    assert subjects.keys() == {"[failed] data_quality: fails", "[recovered] data_quality: fails"}
    assert "was removed while it failed" in subjects["[recovered] data_quality: fails"]


@pytest.mark.verify
def test_the_first_run_of_a_day_looks_at_everything_and_forgets_old_results(
    stack: Any, check: Callable, only: Callable
) -> None:
    only(rule("since", "select to_char(%(since)s::timestamp_ntz, 'YYYY') as SAMPLE_KEY", severity="warn"))

    def looked_back_to() -> str:
        return json.loads(check()["since"][3])[0]

    def pretend(days: int, status: str) -> None:
        stack.query(
            f"update {names.QUALITY_RESULTS_TABLE} set STATUS = '{status}', FAILING_SINCE = null, "
            f"CHECKED_AT = dateadd('day', -{days}, CHECKED_AT)"
        )

    assert looked_back_to() == "0001"
    # It failed, so it checks everything again; when it passes, it checks the recent past.
    assert looked_back_to() == "0001"
    pretend(0, "pass")
    assert looked_back_to() == f"{datetime.now(UTC) - checks.RECENT:%Y}"
    pretend(1, "pass")
    assert looked_back_to() == "0001"
    assert results(stack, "run-1") != {}
    pretend(rule_results.RETENTION.days, "pass")
    check()
    assert results(stack, "run-1") == {}


def test_many_offending_keys_are_counted_and_twenty_are_kept(check: Callable, only: Callable) -> None:
    numbers = ", ".join(f"({number})" for number in range(30))
    only(rule("many", f"select column1 as SAMPLE_KEY from values {numbers}"))
    _, _, failed, samples, _ = check()["many"]
    assert failed == 30
    assert len(json.loads(samples)) == 20
