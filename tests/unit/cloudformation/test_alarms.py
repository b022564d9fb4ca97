"""Every alarm of the template, fed with the metrics that AWS documents for a failure: it fires in time, and never else.

The table in docs/alarms.md is the specification: each row is a failure that ``FAILURES`` simulates.  What a service
sends comes from its own guide: "Monitoring ... with CloudWatch" of Kinesis Data Streams, Amazon Data Firehose and
DynamoDB, "Types of metrics for Lambda functions", "Amazon API Gateway dimensions and metrics".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from include import names
from include.cloudformation import TEMPLATE
from include.cloudformation.render import render
from lambdas.common import metrics as function_metrics
from tests.fixtures.cloudwatch_alarms import Alarm, Metric, Metrics, Semantics
from tests.fixtures.named_template import named_template

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
TEMPLATE_DATA = named_template(json.loads(render(TEMPLATE)))
RESOURCES = TEMPLATE_DATA["Resources"]
PARAMETERS = {name: each.get("Default", name) for name, each in TEMPLATE_DATA["Parameters"].items()}

# Each alarm has to hold for every reading of what the user guide leaves open.
EVERY_SEMANTICS = [
    Semantics(2, fill_needs_a_point=False, dynamodb_ignores_missing=False, old_points_decide=True),
    Semantics(2, fill_needs_a_point=True, dynamodb_ignores_missing=True, old_points_decide=False),
    Semantics(5, fill_needs_a_point=False, dynamodb_ignores_missing=True, old_points_decide=False),
    Semantics(5, fill_needs_a_point=True, dynamodb_ignores_missing=False, old_points_decide=True),
]
# Minutes until a point of a service can be seen.  Firehose's guide says that it sends every five minutes.
DELAYS = {"AWS/Firehose": 6, "AWS/Lambda": 2}

# In minutes.
HEALTHY_UNTIL = 45
WATCHED_FOR = 45
ENDS_WITHIN = 40


class Side(NamedTuple):
    """One of the two streams, with what hangs on it."""

    stream: str
    function: str
    table: str
    archive: str


SIDES = (
    Side(names.CLICK_STREAM, names.CLICK_FUNCTION, names.CLICK_TABLE, "ClickArchive"),
    Side(names.TRUCK_STREAM, names.TRUCK_FUNCTION, names.TRUCK_STATE_TABLE, "TruckArchive"),
)
API = {"ApiName": names.API, "Stage": names.API_STAGE}

# What the services send in one minute: by metric, the values.
Sent = dict[Metric, list[float]]
# Changes what is sent in a minute; gets the minutes since the failure began.
Failure = Callable[[Sent, int], None]


def metric(namespace: str, name: str, **dimensions: str) -> Metric:
    return namespace, name, tuple(sorted(dimensions.items()))


def kinesis(name: str, side: Side) -> Metric:
    return metric("AWS/Kinesis", name, StreamName=side.stream)


def lambda_(name: str, function: str) -> Metric:
    return metric("AWS/Lambda", name, FunctionName=function)


def reported(name: str, side: Side) -> Metric:
    return metric(names.METRICS_NAMESPACE, name, service=side.function)


def dynamodb(name: str, table: str, **index: str) -> Metric:
    return metric("AWS/DynamoDB", name, TableName=table, **index)


def firehose(name: str, side: Side) -> Metric:
    return metric("AWS/Firehose", name, DeliveryStreamName=side.archive)


def airflow(name: str) -> Metric:
    return metric(names.METRICS_NAMESPACE, name)


def traffic(minute: int) -> Sent:
    """What a healthy deployment sends in a minute with 600 records in each stream and 60 requests."""
    sent: Sent = {}
    for side in SIDES:
        sent |= {
            kinesis("IncomingRecords", side): [600],
            kinesis("WriteProvisionedThroughputExceeded", side): [0],
            lambda_("Invocations", side.function): [60],
            lambda_("Errors", side.function): [0],
            lambda_("Throttles", side.function): [0],
            lambda_("IteratorAge", side.function): [300, 900],
            reported(function_metrics.PROCESSED, side): [600],
            reported(function_metrics.QUARANTINED, side): [1 if minute % 10 == 0 else 0],
            reported(function_metrics.OLDEST_LAG, side): [1500],
            dynamodb("ConsumedWriteCapacityUnits", side.table): [1200],
            firehose("DataReadFromKinesisStream.Records", side): [600],
            firehose("DeliveryToS3.Success", side): [1],
            firehose("DeliveryToS3.DataFreshness", side): [120],
        }
    return sent | {
        lambda_("Invocations", names.ARCHIVE_FUNCTION): [2],
        lambda_("Errors", names.ARCHIVE_FUNCTION): [0],
        lambda_("Throttles", names.ARCHIVE_FUNCTION): [0],
        lambda_("Errors", names.API_FUNCTION): [0],
        lambda_("Throttles", names.API_FUNCTION): [0],
        metric("AWS/ApiGateway", "Count", **API): [1] * 60,
        metric("AWS/ApiGateway", "4XXError", **API): [1] + [0] * 59,
        metric("AWS/ApiGateway", "5XXError", **API): [0] * 60,
        metric("AWS/ApiGateway", "Latency", **API): [80] * 59 + [6000],
    }


INCOMING = {kinesis(name, side) for name in ("IncomingRecords", "WriteProvisionedThroughputExceeded") for side in SIDES}


def heartbeat(minute: int) -> Sent:
    """What the DAG heartbeat sends: every 5 minutes, and every third run a minute late."""
    if minute % 5 != (1 if minute % 15 == 1 else 0) or minute % 15 == 0:
        return {}
    return {
        airflow(names.SCHEDULER_HEARTBEAT): [1],
        airflow(names.TRIGGERER_HEARTBEAT): [1],
        airflow(names.ABANDONED_BATCHES_METRIC): [0],
        airflow(names.ARCHIVE_ERRORS_METRIC): [0],
        airflow(names.ALERT_SUBSCRIBERS_METRIC): [2],
    }


# --- Failures: the first cell of a row in docs/alarms.md, and what AWS then sends ------------------------------------
def not_consumed(sent: Sent, _: int) -> None:
    """Nothing polls, so nothing is invoked, and none of the metrics of consumption exists."""
    for side in SIDES:
        for name in ("Invocations", "Errors", "Throttles", "IteratorAge"):
            sent.pop(lambda_(name, side.function), None)
        for name in (function_metrics.PROCESSED, function_metrics.QUARANTINED, function_metrics.OLDEST_LAG):
            sent.pop(reported(name, side), None)
        sent.pop(dynamodb("ConsumedWriteCapacityUnits", side.table), None)


def throttled(sent: Sent, since: int) -> None:
    """Throttled requests count as throttles, and neither as invocations nor as errors."""
    not_consumed(sent, since)
    for side in SIDES:
        sent[lambda_("Throttles", side.function)] = [30]


def raising(sent: Sent, _: int) -> None:
    for side in SIDES:
        sent[lambda_("Errors", side.function)] = [3]


def late(sent: Sent, since: int) -> None:
    """A store is slow or refuses: batches come again, and what they wait for grows."""
    for side in SIDES:
        sent[reported(function_metrics.OLDEST_LAG, side)] = [(since + 1) * 60_000]
        sent[lambda_("IteratorAge", side.function)] = [since * 60_000]


def invalid(sent: Sent, _: int) -> None:
    for side in SIDES:
        sent[reported(function_metrics.QUARANTINED, side)] = [30]


def refused_by_stream(sent: Sent, _: int) -> None:
    for side in SIDES:
        sent[kinesis("WriteProvisionedThroughputExceeded", side)] = [200]


def throttled_table(sent: Sent, _: int) -> None:
    for side in SIDES:
        sent[dynamodb("WriteThrottleEvents", side.table)] = [40]


def throttled_index(sent: Sent, _: int) -> None:
    sent[dynamodb("WriteThrottleEvents", names.CLICK_TABLE, GlobalSecondaryIndexName=names.CLICK_INDEX)] = [40]


def throttled_items(sent: Sent, _: int) -> None:
    sent[dynamodb("WriteThrottleEvents", names.CLICK_ITEM_TABLE)] = [40]


def destination_denied(sent: Sent, since: int) -> None:
    if since == 0:
        for side in SIDES:
            sent[lambda_("DestinationDeliveryFailures", side.function)] = [1]


def batch_given_up(sent: Sent, since: int) -> None:
    if since == 0:
        sent[lambda_("AsyncEventsReceived", names.INTAKE_FUNCTION)] = [1]
        sent[lambda_("Invocations", names.INTAKE_FUNCTION)] = [1]


def intake_fails(sent: Sent, since: int) -> None:
    """Lambda tries an asynchronous event three times."""
    if since in (0, 1, 3):
        sent[lambda_("Errors", names.INTAKE_FUNCTION)] = [1]


def intake_throttled(sent: Sent, _: int) -> None:
    sent[lambda_("Throttles", names.INTAKE_FUNCTION)] = [2]


def event_dropped(sent: Sent, since: int) -> None:
    if since == 0:
        sent[lambda_("AsyncEventsDropped", names.INTAKE_FUNCTION)] = [1]


def batches_wait(sent: Sent, since: int) -> None:
    """Counted once they have waited for 15 minutes."""
    if since >= 15 and airflow(names.ABANDONED_BATCHES_METRIC) in sent:
        sent[airflow(names.ABANDONED_BATCHES_METRIC)] = [3]


def api_fails(sent: Sent, _: int) -> None:
    sent[metric("AWS/ApiGateway", "5XXError", **API)] = [1] * 5 + [0] * 55


def api_refuses(sent: Sent, _: int) -> None:
    """API Gateway counts 429 among its 4XX errors."""
    sent[metric("AWS/ApiGateway", "4XXError", **API)] = [1] * 6 + [0] * 54


def api_slow(sent: Sent, _: int) -> None:
    sent[metric("AWS/ApiGateway", "Latency", **API)] = [80] * 50 + [7000] * 10


def api_throttled(sent: Sent, _: int) -> None:
    sent[lambda_("Throttles", names.API_FUNCTION)] = [10]


def archive_unread(sent: Sent, _: int) -> None:
    """Firehose sends the metrics of reading and delivering only while it does so."""
    for side in SIDES:
        for name in ("DataReadFromKinesisStream.Records", "DeliveryToS3.Success", "DeliveryToS3.DataFreshness"):
            sent.pop(firehose(name, side), None)


def archive_denied(sent: Sent, since: int) -> None:
    for side in SIDES:
        sent[firehose("DeliveryToS3.Success", side)] = [0]
        sent[firehose("DeliveryToS3.DataFreshness", side)] = [120 + since * 60]


def archive_late(sent: Sent, since: int) -> None:
    for side in SIDES:
        sent[firehose("DeliveryToS3.DataFreshness", side)] = [120 + since * 60]


def archive_raises(sent: Sent, _: int) -> None:
    sent[lambda_("Errors", names.ARCHIVE_FUNCTION)] = [1]


def archive_throttled(sent: Sent, _: int) -> None:
    sent[lambda_("Throttles", names.ARCHIVE_FUNCTION)] = [4]


def error_object(sent: Sent, _: int) -> None:
    if airflow(names.ARCHIVE_ERRORS_METRIC) in sent:
        sent[airflow(names.ARCHIVE_ERRORS_METRIC)] = [1]


def scheduler_dead(sent: Sent, _: int) -> None:
    for name in (
        names.SCHEDULER_HEARTBEAT,
        names.TRIGGERER_HEARTBEAT,
        names.ABANDONED_BATCHES_METRIC,
        names.ARCHIVE_ERRORS_METRIC,
        names.ALERT_SUBSCRIBERS_METRIC,
    ):
        sent.pop(airflow(name), None)


def triggerer_dead(sent: Sent, _: int) -> None:
    sent.pop(airflow(names.TRIGGERER_HEARTBEAT), None)


def nobody_subscribed(sent: Sent, _: int) -> None:
    if airflow(names.ALERT_SUBSCRIBERS_METRIC) in sent:
        sent[airflow(names.ALERT_SUBSCRIBERS_METRIC)] = [0]


FAILURES: dict[str, Failure] = {
    "A mapping is disabled": not_consumed,
    "A mapping may not read its stream": not_consumed,
    "A processor is throttled": throttled,
    "A processor raises or times out": raising,
    "A store is slow or refuses": late,
    "Records wait more than 5 minutes in the stream": late,
    "Many records are invalid": invalid,
    "A stream refuses records: its shards are full": refused_by_stream,
    "A table is throttled": throttled_table,
    "The index of `ClickStreamData` is throttled": throttled_index,
    "`ClickItems` is throttled": throttled_items,
    "The destination of abandoned batches is denied": destination_denied,
    "A mapping gives up on a batch": batch_given_up,
    "QuarantineIntake fails": intake_fails,
    "QuarantineIntake is throttled": intake_throttled,
    "An asynchronous event is dropped": event_dropped,
    "Abandoned batches wait": batches_wait,
    "The API answers 5xx": api_fails,
    "The API answers 429, 403 or another 4xx": api_refuses,
    "The API is slow": api_slow,
    "The API's function is throttled": api_throttled,
    "Firehose is blocked, or may not read the stream": archive_unread,
    "Firehose may not write to the bucket": archive_denied,
    "Firehose falls behind": archive_late,
    "ArchiveEnvelope raises or times out": archive_raises,
    "ArchiveEnvelope is throttled": archive_throttled,
    "`raw-archive-errors/` fills": error_object,
    "Airflow's scheduler or its workers are dead": scheduler_dead,
    "Airflow's triggerer is dead": triggerer_dead,
    "Nobody is subscribed to the alerts": nobody_subscribed,
}


# --- The table in docs/alarms.md -------------------------------------------------------------------------------------
class Row(NamedTuple):
    failure: str
    alarms: list[str]
    minutes: int
    runbook: str


@cache
def rows() -> list[Row]:
    text = (ROOT / "docs/alarms.md").read_text()
    (table,) = re.findall(r"^\| failure \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    found = []
    for line in table.splitlines():
        failure, alarms, within, runbook = (cell.strip() for cell in line.strip("|").split("|"))
        (minutes,) = re.fullmatch(r"(\d+) min", within).groups()
        (page,) = re.findall(r"\((runbooks/\w+\.md)", runbook)
        found.append(Row(failure, re.findall(r"`(\w+Alarm)`", alarms), int(minutes), f"docs/{page}"))
    return found


def alarm_ids() -> list[str]:
    return [key for key, resource in RESOURCES.items() if resource["Type"] == "AWS::CloudWatch::Alarm"]


def properties(alarm: str, **parameters: Any) -> dict[str, Any]:
    return _resolved(RESOURCES[alarm]["Properties"], PARAMETERS | parameters)


def _resolved(node: Any, parameters: dict[str, Any]) -> Any:
    """``node`` with each reference replaced: by a parameter's value, a resource's name or its logical id."""
    match node:
        case {"Ref": str(name)}:
            return parameters.get(name) or _name_of(name)
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{(\w+)\}", lambda each: str(parameters[each[1]]), text)
        case dict():
            return {key: _resolved(value, parameters) for key, value in node.items()}
        case list():
            return [_resolved(value, parameters) for value in node]
    return node


def _name_of(logical_id: str) -> str:
    given = RESOURCES[logical_id]["Properties"]
    names_given = [given[key] for key in ("FunctionName", "Name", "TableName", "StageName") if key in given]
    return names_given[0] if names_given else logical_id


# --- Time ------------------------------------------------------------------------------------------------------------
def always(minute: int) -> bool:
    return True


def never(minute: int) -> bool:
    return False


def world(
    minutes: int,
    *,
    traffic_in: Callable[[int], bool] = always,
    failure: Failure | None = None,
    begins: int = 0,
    over: int | None = None,
    processed_after: int = 0,
) -> Metrics:
    """What the services send in ``minutes``, while ``failure`` lasts from ``begins`` until it is ``over``.

    Records come in the minutes of ``traffic_in``, and everything else happens ``processed_after`` minutes.
    """
    metrics = Metrics(DELAYS)
    for minute in range(minutes):
        sent = heartbeat(minute)
        if traffic_in(minute):
            sent |= {each: values for each, values in traffic(minute).items() if each in INCOMING}
        if traffic_in(minute - processed_after):
            sent |= {each: values for each, values in traffic(minute).items() if each not in INCOMING}
        if failure and begins <= minute < (over or minutes):
            failure(sent, minute - begins)
        for each, values in sent.items():
            metrics.put(minute, each, *values)
    return metrics


def history(alarm: Alarm, metrics: Metrics, minutes: int) -> Iterator[tuple[int, str]]:
    # CloudWatch evaluates once a minute.  The first half hour has nothing behind it to look back at.
    yield from ((now, alarm.evaluate(metrics, now)) for now in range(30, minutes + 1))


@cache
def known_metrics() -> set[Metric]:
    """Every metric that the simulation sends."""
    return set().union(*(world(20, failure=failure).names() for failure in (None, *FAILURES.values())))


def test_the_table_has_every_failure_and_every_alarm() -> None:
    assert [row.failure for row in rows()] == list(FAILURES)
    assert {alarm for row in rows() for alarm in row.alarms} == set(alarm_ids())


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.failure)
def test_an_alarm_fires_within_its_time_and_not_before_and_ends_with_the_failure(row: Row) -> None:
    over, end = HEALTHY_UNTIL + WATCHED_FOR, HEALTHY_UNTIL + WATCHED_FOR + ENDS_WITHIN
    metrics = world(end, traffic_in=always, failure=FAILURES[row.failure], begins=HEALTHY_UNTIL, over=over)
    for alarm_id in row.alarms:
        for semantics in EVERY_SEMANTICS:
            states = dict(history(Alarm(properties(alarm_id), semantics), metrics, end))
            fired = next((now for now, state in states.items() if state == "ALARM"), None)
            assert fired is not None, (alarm_id, semantics)
            assert HEALTHY_UNTIL < fired <= HEALTHY_UNTIL + row.minutes, (alarm_id, semantics, fired - HEALTHY_UNTIL)
            assert states[end] == "OK", (alarm_id, semantics)


class Healthy(NamedTuple):
    """Records come in the minutes of ``traffic_in``, and are processed some minutes later."""

    traffic_in: Callable[[int], bool]
    processed_after: int = 0


HEALTHY = {
    "traffic": Healthy(always),
    "an_idle_night": Healthy(never),
    "a_morning_after_an_idle_night": Healthy(lambda minute: minute >= 60),
    "an_evening_before_an_idle_night": Healthy(lambda minute: minute < 60),
    "a_record_every_seven_minutes": Healthy(lambda minute: minute % 7 == 0),
    "a_record_every_seven_minutes_processed_in_the_next_minute": Healthy(lambda minute: minute % 7 == 0, 1),
    "a_record_every_ten_minutes_processed_in_the_next_minute": Healthy(lambda minute: minute % 10 == 9, 1),
    "a_record_in_two_hours_processed_in_the_next_minute": Healthy(lambda minute: minute == 60, 1),
    "batches_that_wait_for_five_minutes": Healthy(lambda minute: minute % 10 == 9, 5),
}


@pytest.mark.parametrize("situation", HEALTHY)
def test_no_alarm_fires_without_a_failure(situation: str) -> None:
    end = 120
    metrics = world(end, **HEALTHY[situation]._asdict())
    for alarm_id in alarm_ids():
        for semantics in EVERY_SEMANTICS:
            alarm = Alarm(properties(alarm_id), semantics)
            fired = [now for now, state in history(alarm, metrics, end) if state == "ALARM"]
            assert fired == [], (alarm_id, semantics)


def assert_noticed(failure: Failure, metrics: Metrics, begins: int, end: int) -> None:
    """Each alarm of the failure's row fires within the row's minutes after ``begins``."""
    (row,) = [row for row in rows() if FAILURES[row.failure] is failure and "disabled" not in row.failure]
    for alarm_id in row.alarms:
        for semantics in EVERY_SEMANTICS:
            alarm = Alarm(properties(alarm_id), semantics)
            fired = next((now for now, state in history(alarm, metrics, end) if state == "ALARM"), None)
            assert fired is not None, (alarm_id, semantics)
            assert begins < fired <= begins + row.minutes, (alarm_id, semantics, fired)


@pytest.mark.parametrize("failure", [not_consumed, archive_unread])
def test_one_record_that_nobody_reads_is_noticed(failure: Failure) -> None:
    came, end = 60, 100
    assert_noticed(failure, world(end, traffic_in=lambda minute: minute == came, failure=failure), came, end)


@pytest.mark.parametrize("failure", [not_consumed, archive_unread])
def test_a_consumer_that_stops_in_an_idle_night_is_noticed_when_records_come_in_again(failure: Failure) -> None:
    """By then CloudWatch has no point of the consumer left in its range."""
    morning, end = 90, 130
    assert_noticed(failure, world(end, traffic_in=lambda minute: minute >= morning, failure=failure), morning, end)


@pytest.mark.parametrize("alarm_id", ["SchedulerAlarm", "TriggererAlarm"])
def test_an_airflow_that_never_showed_life_is_an_alarm(alarm_id: str) -> None:
    for semantics in EVERY_SEMANTICS:
        assert Alarm(properties(alarm_id), semantics).evaluate(Metrics(), 120) == "ALARM"


def test_an_archive_with_long_buffers_is_not_late() -> None:
    interval, end = 900, 120

    def buffered(sent: Sent, _: int) -> None:
        for side in SIDES:
            sent[firehose("DeliveryToS3.DataFreshness", side)] = [2 * interval]

    metrics = world(end, failure=buffered)
    for alarm_id, semantics in product(("ClickArchiveAlarm", "TruckArchiveAlarm"), EVERY_SEMANTICS):
        alarm = Alarm(properties(alarm_id, ArchiveIntervalSeconds=interval), semantics)
        assert "ALARM" not in dict(history(alarm, metrics, end)).values()


def test_every_alarm_watches_a_metric_that_the_simulation_knows() -> None:
    """A misspelt metric or dimension has no data: such an alarm would be quiet for ever."""
    for alarm_id in alarm_ids():
        assert Alarm(properties(alarm_id), EVERY_SEMANTICS[0]).metrics() <= known_metrics(), alarm_id


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.failure)
def test_an_alarm_names_its_runbook_which_names_the_alarm(row: Row) -> None:
    page = (ROOT / row.runbook).read_text()
    for alarm_id in row.alarms:
        assert f"See {row.runbook}." in properties(alarm_id)["AlarmDescription"]
        assert alarm_id in page


def test_every_alarm_notifies_when_it_starts_and_when_it_ends() -> None:
    for alarm_id in alarm_ids():
        given = RESOURCES[alarm_id]["Properties"]
        assert given["AlarmActions"] == given["OKActions"] == [{"Ref": "AlertTopic"}]


def test_the_dashboard_shows_every_alarm_and_metrics_that_exist() -> None:
    text = RESOURCES["FlowDashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    for reference in set(re.findall(r"\$\{(\w+)(?:\.Arn)?\}", text)):
        assert reference in RESOURCES, reference
    text = re.sub(r"\$\{(\w+)\.Arn\}", r"\1", text)
    text = text.replace("${AWS::Region}", "eu-central-1")
    body = json.loads(re.sub(r"\$\{(\w+)\}", lambda each: _name_of(each[1]), text))
    alarms, *charts = body["widgets"]
    assert alarms["properties"]["alarms"] == alarm_ids()
    for namespace, name, *rest in (line for chart in charts for line in chart["properties"]["metrics"]):
        dimensions = rest[:-1]
        assert metric(namespace, name, **dict(zip(dimensions[::2], dimensions[1::2], strict=True))) in known_metrics()
    places = {(each["x"], each["y"]) for each in body["widgets"]}
    assert len(places) == len(body["widgets"])
