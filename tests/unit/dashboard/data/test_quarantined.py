"""Quarantined records: counted by hour of arrival and reason, listed, and read one by one."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pandas as pd
import pytest
from botocore.exceptions import ClientError

from dashboard import data
from dashboard.data import aws as dashboard_aws
from dashboard.data import quarantined, s3
from include import names
from include.contracts.envelope import Envelope
from include.contracts.quarantine import Quarantined, batch_objects, encode

pytestmark = pytest.mark.unit

KEY = "quarantine/ClickDataStream/2026/11/22/14/shardId-0-1.json"


def put_quarantined(aws: Any, stream: str, hour: str, sequence: int, reason: str) -> None:
    aws["s3"].put_object(
        Bucket=aws["bucket"],
        Key=f"quarantine/{stream}/{hour}/shardId-0-{sequence}.json",
        Body=json.dumps({"reason": reason}).encode(),
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
    (record,) = data.quarantine(1).records.to_dict("records")
    assert (record["key"], record["hour"]) == (KEY, pd.Timestamp("2026-11-22T14Z"))
    assert record["size"] == len(json.dumps({"reason": "not_json"}))


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"null", b"\xff"])
def test_a_foreign_object_is_counted_and_shown_as_bytes(aws: Any, now: datetime, body: bytes) -> None:
    aws["s3"].put_object(Bucket=aws["bucket"], Key=KEY, Body=body)
    assert list(data.quarantine(1).frame["reason"]) == ["not a record"]
    assert data.quarantine_object(KEY) == data.QuarantineObject(KEY, len(body), body, None)


def test_one_record_is_read_whole(aws: Any, now: datetime) -> None:
    record = Quarantined(
        reason="not_json",
        field=None,
        value=None,
        rule="a rule",
        envelope=Envelope(names.CLICK_STREAM, "shardId-0", "1", "2026-11-22T14:05:30.000000", "key"),
        payload=b"\x00\xff",
        function=names.CLICK_FUNCTION,
    )
    aws["s3"].put_object(Bucket=aws["bucket"], Key=KEY, Body=encode(record))
    found = data.quarantine_object(KEY)
    assert found is not None
    assert (found.size, found.record) == (len(encode(record)), record)


def test_an_object_too_large_for_a_record_is_not_read_whole(
    aws: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantined, "MAX_RECORD_BYTES", 99)
    monkeypatch.setattr(quarantined, "FIRST_BYTES", 10)
    aws["s3"].put_object(Bucket=aws["bucket"], Key=KEY, Body=b"x" * 100)
    assert data.quarantine_object(KEY) == data.QuarantineObject(KEY, 100, b"x" * 10, None)


def record(number: int, reason: str = "not_json") -> Quarantined:
    envelope = Envelope(names.CLICK_STREAM, "shardId-0", str(number), "2026-11-22T14:05:30.000000", "key")
    return Quarantined(
        reason=reason, field=None, value=None, rule="-", envelope=envelope, payload=b"x", function=names.CLICK_FUNCTION
    )


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


def test_a_batch_beyond_the_limit_is_counted_by_its_name_and_not_read(
    aws: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantined, "MAX_QUARANTINE_READS", 3)
    put_batch(aws, record(1), record(2))
    put_batch(aws, record(3), record(4), record(5))
    answer = data.quarantine(1)
    assert answer.listed == 5
    assert answer.unread in (2, 3)
    assert len(answer.records) == 5 - answer.unread


def test_a_foreign_object_with_the_name_of_a_batch_is_counted_as_one(aws: Any, now: datetime) -> None:
    aws["s3"].put_object(Bucket=aws["bucket"], Key=put_batch(aws, record(1), record(2)), Body=b"notes")
    assert list(data.quarantine(1).frame["reason"]) == ["not a record"]


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
