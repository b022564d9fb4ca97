"""QuarantineIntake: the objects of an on-failure destination become quarantine, record by record."""

import json
import math
from urllib.parse import quote_plus

import pytest

from include import names
from include.contracts.quarantine import decode, decode_all
from lambdas.common.deadline import StoreError
from lambdas.quarantine_intake.logic import NotAnInvocationRecordError, abandoned
from tests.fixtures.aggregates import aggregate

pytestmark = pytest.mark.unit

KEY = f"{names.ON_FAILURE_PREFIX}5c3f8d1e/shardId-000000000000/2026/11/22/2026-11-22T15.30.00-a1 b+c"


@pytest.fixture
def left(kinesis_event):
    """What Lambda leaves: https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html"""

    def build(*payloads, stream=names.CLICK_STREAM, as_text=False, function=names.CLICK_FUNCTION):
        event = kinesis_event(payloads, stream=stream)
        return {
            "requestContext": {
                "requestId": "c9b8fa9f-5a7f-xmpl-af9c-0c604cde93a5",
                "functionArn": f"arn:aws:lambda:us-east-1:123456789012:function:{function}",
                "condition": "RecordAgeExceeded",
                "approximateInvokeCount": 7,
            },
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "version": "1.0",
            "timestamp": "2026-11-22T15:30:00.000Z",
            "KinesisBatchInfo": {"shardId": "shardId-000000000000", "batchSize": len(payloads)},
            "payload": json.dumps(event) if as_text else event,
        }

    return build


@pytest.fixture
def function(new_function):
    return new_function("quarantine_intake")


@pytest.fixture
def put(cloud, environment):
    def put(document, key=KEY):
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        cloud.s3.put_object(Bucket=environment["ABANDONED_BUCKET"], Key=key, Body=body)

    return put


def notification(*keys):
    return {
        "Records": [
            {"eventSource": "aws:s3", "s3": {"bucket": {"name": "b"}, "object": {"key": quote_plus(key, safe="/")}}}
            for key in keys
        ]
    }


@pytest.mark.parametrize("as_text", [False, True], ids=["payload as object", "payload as text"])
def test_every_record_is_quarantined_by_envelope_and_the_object_goes(function, cloud, put, left, as_text):
    put(left({"Item_ID": "MOB001"}, b"\xff\x00", b"", as_text=as_text))

    assert function(notification(KEY)) == {"taken_in": 3}

    assert cloud.objects(names.ON_FAILURE_PREFIX) == {}
    records = [decode(body) for _, body in sorted(cloud.objects(names.QUARANTINE_PREFIX).items())]
    assert [record.payload for record in records] == [b'{"Item_ID": "MOB001"}', b"\xff\x00", b""]
    first = records[0]
    assert (first.reason, first.field, first.value, first.history) == ("not_processed", None, None, ())
    assert first.rule == "RecordAgeExceeded after 7 invocations; the last one ended with Unhandled"
    assert first.function == names.CLICK_FUNCTION
    assert first.envelope.partition_key == "key-0"
    assert first.envelope.arrival_time == "2026-11-22T14:30:00.250000"
    keys = sorted(cloud.objects(names.QUARANTINE_PREFIX))
    assert keys[0] == (
        f"quarantine/{names.CLICK_STREAM}/2026/11/22/14/shardId-000000000000-{first.envelope.sequence_number}.json"
    )


def test_a_batch_of_very_many_aggregated_records_is_a_few_objects(function, cloud, put, left):
    put(left(*(aggregate([b"%d" % number for number in range(600)], key="TRK001") for _ in range(2))))

    assert function(notification(KEY)) == {"taken_in": 1200}

    (body,) = cloud.objects(names.QUARANTINE_PREFIX).values()
    records = decode_all(body)
    assert len({record.envelope for record in records}) == 1200
    assert {record.reason for record in records} == {"not_processed"}
    assert function.calls.count("PutObject") == 2  # with the notice


def test_a_notice_says_that_there_was_a_batch_before_it_goes(function, cloud, put, left, no_waiting):
    put(left({"a": 1}, {"a": 2}))

    def deletion_fails(request):
        return (500, {})

    function.on_wire("DeleteObject", deletion_fails)
    with pytest.raises(StoreError):
        function(notification(KEY))
    function.on_wire("DeleteObject", lambda request: None)
    function(notification(KEY))
    ((key, body),) = cloud.objects(names.ABANDONED_PREFIX).items()
    assert key == KEY.replace(names.ON_FAILURE_PREFIX, names.ABANDONED_PREFIX) + ".json"
    assert json.loads(body) == {
        "function": names.CLICK_FUNCTION,
        "stream": names.CLICK_STREAM,
        "records": 2,
        "rule": "RecordAgeExceeded after 7 invocations; the last one ended with Unhandled",
    }


def test_an_aggregate_is_taken_in_record_by_record_and_a_broken_one_whole(function, cloud, put, left):
    broken = aggregate([b"{}", b"1"])[:-1]
    put(left(aggregate([b"{}", b"1"], key="TRK001"), broken))

    assert function(notification(KEY)) == {"taken_in": 3}

    records = [decode(body) for _, body in sorted(cloud.objects(names.QUARANTINE_PREFIX).items())]
    assert {record.reason for record in records} == {"not_processed"}
    number = records[0].envelope.sequence_number
    assert {(record.envelope.number, record.payload) for record in records[:2]} == {
        (number, b"{}"),
        (f"{number}.1", b"1"),
    }
    assert records[2].payload == broken


def test_notified_twice_the_second_finds_nothing_to_do(function, cloud, put, left):
    put(left({"a": 1}))
    function(notification(KEY))
    before = cloud.objects("")
    assert function(notification(KEY)) == {"taken_in": 0}
    assert cloud.objects("") == before


def test_a_record_that_has_its_reason_already_keeps_it(new_function, function, cloud, put, left, kinesis_event):
    new_function("kinesis_to_dynamodb")(kinesis_event([b"no json"]))
    before = cloud.objects(names.QUARANTINE_PREFIX)
    put(left(b"no json"))
    function(notification(KEY))
    assert cloud.objects(names.QUARANTINE_PREFIX) == before


def test_a_store_that_fails_leaves_the_object_for_the_next_attempt(function, cloud, put, left, no_waiting):
    put(left({"a": 1}, {"a": 2}))
    puts = []

    def second_fails(request):
        puts.append(request.url)
        return (500, {}) if "000001.json" in request.url else None

    function.on_wire("PutObject", second_fails)
    with pytest.raises(StoreError):
        function(notification(KEY))
    assert list(cloud.objects(names.ON_FAILURE_PREFIX)) == [KEY]

    function.on_wire("PutObject", lambda request: None)
    assert function(notification(KEY)) == {"taken_in": 2}
    assert cloud.objects(names.ON_FAILURE_PREFIX) == {}
    assert len(cloud.objects(names.QUARANTINE_PREFIX)) == 2


def test_a_delete_that_fails_is_repeated_without_doubling(function, cloud, put, left, no_waiting):
    put(left({"a": 1}))
    function.on_wire("DeleteObject", lambda request: (500, {}))
    with pytest.raises(StoreError):
        function(notification(KEY))
    before = cloud.objects(names.QUARANTINE_PREFIX)
    function.on_wire("DeleteObject", lambda request: None)
    function(notification(KEY))
    assert cloud.objects(names.QUARANTINE_PREFIX) == before
    assert cloud.objects(names.ON_FAILURE_PREFIX) == {}


def test_an_object_that_no_mapping_left_stays_and_is_an_error(function, cloud, put):
    put(b"hello")
    with pytest.raises(NotAnInvocationRecordError):
        function(notification(KEY))
    assert cloud.objects("") == {KEY: b"hello"}


def test_without_an_answer_of_the_function_the_rule_says_only_why_the_mapping_gave_up(left):
    document = left({"a": 1})
    del document["responseContext"]
    (record,) = abandoned(json.dumps(document).encode())
    assert record.rule == "RecordAgeExceeded after 7 invocations"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"payload": None}, id="payload of a queue's record"),
        pytest.param({"payload": "no json"}, id="payload is no event"),
        pytest.param({"payload": {"Records": []}}, id="no records"),
        pytest.param({"payload": {"Records": [{"kinesis": {"data": "%%%"}}]}}, id="records are not whole"),
        pytest.param({"requestContext": {"functionArn": "short"}}, id="no function"),
        pytest.param({"requestContext": []}, id="context is a list"),
    ],
)
def test_what_is_no_invocation_record_of_kinesis_is_refused(left, change):
    with pytest.raises(NotAnInvocationRecordError):
        abandoned(json.dumps(left({"a": 1}) | change).encode())


# Infinity is what Python's JSON takes, too.
@pytest.mark.parametrize("time", [1e300, 1e17, math.inf, math.nan, 1e12, None], ids=str)
def test_a_time_of_arrival_that_no_clock_has_is_refused(left, time):
    document = left({"a": 1})
    document["payload"]["Records"][0]["kinesis"]["approximateArrivalTimestamp"] = time
    with pytest.raises(NotAnInvocationRecordError):
        abandoned(json.dumps(document).encode())


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"1", b"\xff", b"[" * 100_000], ids=["empty", "list", "number", "bytes", "deep"]
)
def test_bytes_that_are_no_object_are_refused(body):
    with pytest.raises(NotAnInvocationRecordError):
        abandoned(body)
