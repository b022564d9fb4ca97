"""Quarantined records: counted by hour of arrival and reason, listed, and read one by one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import pandas as pd
import pytest
from botocore.exceptions import ClientError
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID

from dashboard import data
from dashboard.data import aws as dashboard_aws
from dashboard.data import quarantined, s3
from include import names
from include.contracts.envelope import Envelope, read_number
from include.contracts.quarantine import Quarantined, batch_objects, encode

pytestmark = pytest.mark.unit

KEY = "quarantine/ClickDataStream/2026/11/22/14/shardId-0-1.json"


def record(number: int, reason: str = "not_json") -> Quarantined:
    envelope = Envelope(names.CLICK_STREAM, "shardId-0", str(number), "2026-11-22T14:05:30.000000", "key")
    return Quarantined(
        reason=reason, field=None, value=None, rule="-", envelope=envelope, payload=b"x", function=names.CLICK_FUNCTION
    )


def numbered_record(number: str) -> Quarantined:
    sequence_number, sub_sequence_number = read_number(number)
    envelope = msgspec.structs.replace(
        record(1).envelope, sequence_number=sequence_number, sub_sequence_number=sub_sequence_number
    )
    return msgspec.structs.replace(record(1), envelope=envelope)


def put_quarantined(aws: Any, stream: str, hour: str, sequence: int, reason: str) -> None:
    aws["s3"].put_object(
        Bucket=aws["bucket"],
        Key=f"quarantine/{stream}/{hour}/shardId-0-{sequence}.json",
        Body=encode(record(sequence, reason)),
    )


def test_quarantine_counts_by_stream_hour_and_reason(aws: Any, now: datetime) -> None:
    put_quarantined(aws, names.CLICK_STREAM, "2026/11/22/14", 1, "not_json")
    put_quarantined(aws, names.CLICK_STREAM, "2026/11/22/14", 2, "not_json")
    put_quarantined(aws, names.TRUCK_STREAM, "2026/11/22/13", 3, "missing")
    put_quarantined(aws, names.TRUCK_STREAM, "2026/11/22/10", 4, "missing")  # Before the hours asked for.
    answer = data.quarantine(2)
    assert (answer.listed, answer.unread) == (3, 0)
    assert answer.frame.to_dict("records") == [
        {"stream": "ClickDataStream", "hour": pd.Timestamp("2026-11-22T14Z"), "reason": "not_json", "records": 2},
        {"stream": "TruckTelemetry", "hour": pd.Timestamp("2026-11-22T13Z"), "reason": "missing", "records": 1},
    ]


def test_quarantine_reads_no_more_objects_than_its_limit_and_says_so(
    aws: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantined, "MAX_QUARANTINE_READS", 2)
    for sequence in range(5):
        put_quarantined(aws, names.CLICK_STREAM, "2026/11/22/14", sequence, "not_json")
    answer = data.quarantine(1)
    assert (answer.listed, answer.unread) == (5, 3)
    assert dict(zip(answer.frame["reason"], answer.frame["records"], strict=True)) == {"not read": 3, "not_json": 2}


def test_nothing_quarantined_is_an_empty_frame(aws: Any, now: datetime) -> None:
    answer = data.quarantine(24)
    assert answer.listed == 0
    assert list(answer.frame.columns) == ["stream", "hour", "reason", "records"]


def test_records_are_listed_the_last_written_first_with_key_and_size(aws: Any, now: datetime) -> None:
    put_quarantined(aws, names.CLICK_STREAM, "2026/11/22/14", 1, "not_json")
    (listed,) = data.quarantine(1).records.to_dict("records")
    assert (listed["key"], listed["hour"]) == (KEY, pd.Timestamp("2026-11-22T14Z"))
    assert listed["size"] == len(encode(record(1)))


DEEP = b"[" * 100_000
FOREIGN = [b"", b"[]", b"{}", b"null", b"\xff", DEEP, b'{"more": ' + DEEP, b'{"reason": "not_json"}']


@pytest.mark.parametrize("body", FOREIGN, ids=[str(body[:20]) for body in FOREIGN])
def test_a_foreign_object_is_counted_and_shown_as_bytes(aws: Any, now: datetime, body: bytes) -> None:
    aws["s3"].put_object(Bucket=aws["bucket"], Key=KEY, Body=body)
    assert list(data.quarantine(1).frame["reason"]) == ["not a record"]
    assert data.quarantine_object(KEY) == data.QuarantineObject(KEY, len(body), body, None)


def test_one_record_is_read_whole(aws: Any, now: datetime) -> None:
    stored = msgspec.structs.replace(record(1), payload=b"\x00\xff")
    aws["s3"].put_object(Bucket=aws["bucket"], Key=KEY, Body=encode(stored))
    found = data.quarantine_object(KEY)
    assert found is not None
    assert (found.size, found.record) == (len(encode(stored)), stored)


def test_an_object_too_large_for_a_record_is_not_read_whole(
    aws: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantined, "MAX_RECORD_BYTES", 99)
    monkeypatch.setattr(quarantined, "FIRST_BYTES", 10)
    aws["s3"].put_object(Bucket=aws["bucket"], Key=KEY, Body=b"x" * 100)
    assert data.quarantine_object(KEY) == data.QuarantineObject(KEY, 100, b"x" * 10, None)


def written_long_ago(aws: Any, key: str) -> None:
    """Keys of a bucket in memory have the time at which the test runs; this one gets an earlier one."""
    bucket = get_backend("s3")[DEFAULT_ACCOUNT_ID]["aws"].buckets[aws["bucket"]]
    bucket.keys[key].last_modified = datetime(2020, 1, 1)  # noqa: DTZ001 - as moto has them


def put_batch(aws: Any, *records: Quarantined) -> str:
    ((key, body),) = batch_objects(names.QUARANTINE_PREFIX, records)
    aws["s3"].put_object(Bucket=aws["bucket"], Key=key, Body=body)
    return key


def test_each_record_of_a_batch_is_counted_listed_and_read(aws: Any, now: datetime) -> None:
    put_batch(aws, record(1), record(2, "missing"), record(3))
    put_quarantined(aws, names.CLICK_STREAM, "2026/11/22/14", 4, "not_json")
    answer = data.quarantine(1)
    assert (data.quarantine_size(1), answer.listed, answer.unread) == ((4, False), 4, 0)
    assert dict(zip(answer.frame["reason"], answer.frame["records"], strict=True)) == {"missing": 1, "not_json": 3}
    keys = [KEY.replace("-1.json", f"-{number}.json") for number in (1, 2, 3, 4)]
    assert sorted(answer.records["key"]) == keys
    # By the key that it has once a replay has given it an object of its own.
    found = data.quarantine_object(keys[1])
    assert found is not None
    assert (found.key, found.record) == (keys[1], record(2, "missing"))
    assert data.quarantine_object(KEY.replace("-1.json", "-9.json")) is None


def test_a_batch_beyond_the_limit_is_counted_by_its_name_and_read_as_far_as_the_limit(
    aws: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantined, "MAX_QUARANTINE_READS", 3)
    put_batch(aws, record(1), record(2))
    put_batch(aws, record(3), record(4), record(5))
    answer = data.quarantine(1)
    assert (answer.listed, answer.unread, len(answer.records)) == (5, 2, 3)


def reasons(answer: data.QuarantineCounts) -> dict[str, int]:
    return dict(answer.frame.groupby("reason")["records"].sum())


def test_a_large_batch_hides_no_reason_of_the_records_before_it(aws: Any, now: datetime) -> None:
    others = ["missing", "not_json", "too_old"]
    for number, reason in enumerate(others):
        put_quarantined(aws, names.CLICK_STREAM, "2026/11/22/14", number, reason)
        written_long_ago(aws, KEY.replace("-1.json", f"-{number}.json"))
    put_batch(aws, *(record(number, "not_processed") for number in range(1_000, 1_600)))
    answer = data.quarantine(1)
    assert (answer.listed, answer.unread) == (603, 103)
    assert reasons(answer) == {"not_processed": 497, "not read": 103, **dict.fromkeys(others, 1)}
    assert len(answer.records) == 500


def test_a_large_batch_is_read_as_far_as_other_records_leave_room(
    aws: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantined, "MAX_QUARANTINE_READS", 5)
    monkeypatch.setattr(quarantined, "FIRST_OF_AN_OBJECT", 2)
    for number in range(4):
        put_quarantined(aws, names.CLICK_STREAM, "2026/11/22/14", number, "missing")
        written_long_ago(aws, KEY.replace("-1.json", f"-{number}.json"))
    put_batch(aws, *(record(number, "not_processed") for number in range(10, 16)))
    assert reasons(data.quarantine(1)) == {"not_processed": 2, "missing": 3, "not read": 5}


def test_of_a_batch_that_an_erasure_made_smaller_nothing_is_left_unread(aws: Any, now: datetime) -> None:
    key = put_batch(aws, record(1), record(2), record(3))
    aws["s3"].put_object(Bucket=aws["bucket"], Key=key, Body=encode(record(2)) + b"\n")
    answer = data.quarantine(1)
    assert (answer.listed, answer.unread) == (1, 0)


def test_a_foreign_object_with_the_name_of_a_batch_is_counted_as_one(aws: Any, now: datetime) -> None:
    aws["s3"].put_object(Bucket=aws["bucket"], Key=put_batch(aws, record(1), record(2)), Body=b"notes")
    assert list(data.quarantine(1).frame["reason"]) == ["not a record"]


@pytest.mark.parametrize(
    ("number", "read"),
    [
        pytest.param("100", ["99-101-3"], id="in the middle"),
        pytest.param("98", [], id="before all of them"),
        pytest.param("102", ["102-102.10-3"], id="the first"),
        pytest.param("102.9", ["102-102.10-3"], id="of an aggregate, where its text sorts behind"),
        pytest.param("103", [], id="between two"),
        pytest.param("1000", ["999-1001-3"], id="of another length"),
    ],
)
def test_of_the_batches_of_an_hour_only_those_that_can_have_a_record_are_read(
    aws: Any, now: datetime, number: str, read: list[str]
) -> None:
    for batch in (("99", "99.5", "101"), ("102", "102.1", "102.10"), ("999", "999.1", "1001")):
        put_batch(aws, *(numbered_record(each) for each in batch))
    asked: list[str] = []
    dashboard_aws.client("s3").meta.events.register(
        "before-parameter-build.s3.GetObject", lambda params, **_: asked.append(params["Key"])
    )
    key = KEY.replace("-1.json", f"-{number}.json")
    found = data.quarantine_object(key)
    assert (found is not None) is (number == "102")
    assert asked.pop(0) == key
    assert [each.removeprefix(KEY.removesuffix("1.json")).rpartition("-")[0] for each in asked] == read


def test_a_foreign_object_with_the_name_of_a_batch_is_not_looked_into_for_a_record(aws: Any, now: datetime) -> None:
    folder = KEY.rpartition("/")[0]
    for name in ("shardId-0-1-3-3-0123456789abcdef.jsonl", "shardId-0-3-0123456789abcdef.jsonl"):
        aws["s3"].put_object(Bucket=aws["bucket"], Key=f"{folder}/{name}", Body=b"notes")
    assert data.quarantine_object(KEY) is None


def test_a_record_that_a_replay_resolved_is_gone(aws: Any, now: datetime) -> None:
    assert data.quarantine_object(KEY) is None


def replay_before_reading(aws: Any, key: str) -> None:
    """A replay moves an object between the dashboard's listing and its reading."""

    def move(params: dict[str, Any], **_: Any) -> None:
        if params["Key"] == key:
            aws["s3"].delete_object(Bucket=aws["bucket"], Key=key)

    dashboard_aws.client("s3").meta.events.register("before-parameter-build.s3.GetObject", move)


def test_an_object_that_a_replay_moves_meanwhile_is_left_out(aws: Any, now: datetime) -> None:
    for sequence in (1, 2):
        put_quarantined(aws, names.CLICK_STREAM, "2026/11/22/14", sequence, "not_json")
    replay_before_reading(aws, KEY.replace("-1.json", "-2.json"))
    answer = data.quarantine(1)
    assert (answer.listed, answer.unread, list(answer.records["key"])) == (1, 0, [KEY])


@pytest.mark.parametrize("is_listed", [False, True])
def test_a_record_whose_batch_a_replay_moves_meanwhile_is_gone(aws: Any, now: datetime, is_listed: bool) -> None:
    batch = put_batch(aws, record(1), record(2))
    if is_listed:  # Then the dashboard knows what is in the batch.
        assert data.quarantine(1).listed == 2
    replay_before_reading(aws, batch)
    assert data.quarantine_object(KEY) is None


def test_a_refusal_to_read_is_no_object_that_is_gone(aws: Any, now: datetime) -> None:
    put_quarantined(aws, names.CLICK_STREAM, "2026/11/22/14", 1, "not_json")

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "GetObject")

    dashboard_aws.client("s3").meta.events.register("before-parameter-build.s3.GetObject", refuse)
    with pytest.raises(data.StoreUnavailableError, match="refused"):
        data.quarantine(1)


def test_an_hour_with_more_objects_than_the_limit_says_so(
    aws: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "MAX_KEYS_PER_HOUR", 2)
    for sequence in (1, 2):
        put_quarantined(aws, names.CLICK_STREAM, "2026/11/22/14", sequence, "not_json")
        put_quarantined(aws, names.TRUCK_STREAM, "2026/11/22/14", sequence, "missing")
    assert (data.quarantine_size(1), data.quarantine(1).cut_off) == ((4, False), ())
    put_quarantined(aws, names.TRUCK_STREAM, "2026/11/22/14", 3, "missing")
    data.quarantine_size.clear()
    data.quarantine.clear()
    answer = data.quarantine(1)
    assert (data.quarantine_size(1), answer.listed, answer.cut_off) == ((4, True), 4, (names.TRUCK_STREAM,))


def test_nothing_outside_quarantine_is_read(aws: Any) -> None:
    with pytest.raises(ValueError, match="quarantine"):
        data.quarantine_object("raw-archive/x")
