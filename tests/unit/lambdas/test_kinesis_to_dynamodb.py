"""KinesisToDynamoDBProcessor as a whole, on moto."""

from __future__ import annotations

import json
import logging
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from include import names
from include.contracts import times
from tests.fixtures.aggregates import aggregate

pytestmark = pytest.mark.unit

EVENTS = Path(__file__).parents[2] / "events" / "click"
DONE = {"batchItemFailures": []}


def click(number: int = 0, **changes: object) -> dict[str, object]:
    sent = {
        "Item_ID": "MOB001",
        "Item_Name": "Mobile",
        "Timestamp": f"2026-11-22T14:29:{number // 1000:02}.{number % 1000:03}000",
        "Click_Counts": 3,
    }
    return sent | changes


def first_of(event: dict) -> dict:
    return {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["kinesis"]["sequenceNumber"]}]}


@pytest.fixture
def function(new_function):
    return new_function("kinesis_to_dynamodb")


def test_click_becomes_one_row_with_its_envelope_and_index_key(function, cloud, kinesis_event):
    assert function(kinesis_event([click()])) == DONE

    (row,) = cloud.rows(names.CLICK_TABLE)
    assert row.pop("Ingested_At") > "2026"
    assert row == {
        "Timestamp": "2026-11-22T14:29:00.000000",
        "Item_ID": "MOB001",
        "Item_Name": "Mobile",
        "Click_Counts": 3,
        "Item_Hour_Shard": "MOB001#2026-11-22T14#0",
        "Stream": "ClickDataStream",
        "Shard_ID": "shardId-000000000000",
        "Sequence_Number": "49650000000000000000000000000000000000000000000000000000",
        "Arrival_Time": "2026-11-22T14:30:00.250000",
    }
    assert cloud.rows(names.CLICK_ITEM_TABLE) == [{"Item_ID": "MOB001", "Item_Name": "Mobile"}]
    assert cloud.objects("") == {}


def test_a_row_expires_by_its_clicks_own_time_and_an_expired_click_gets_none(function, cloud, kinesis_event, caplog):
    caplog.set_level(logging.INFO)
    function.module.env = msgspec.structs.replace(function.module.env, click_ttl_days=30)
    now = datetime.now(UTC)
    fresh, almost, late = (now - timedelta(days=days) for days in (1, 29.99, 30.01))
    sent = [click(Timestamp=times.to_canonical(moment)) for moment in (fresh, almost, late)]

    assert function(kinesis_event(sent, arrival=now.timestamp())) == DONE
    assert function(kinesis_event(sent[:1], arrival=now.timestamp(), first=7)) == DONE

    rows = {row["Timestamp"]: row["Expires_At"] for row in cloud.rows(names.CLICK_TABLE)}
    assert rows == {
        times.to_canonical(moment): int((moment + timedelta(days=30)).timestamp()) for moment in (fresh, almost)
    }
    first, _ = [record for record in caplog.records if record.message == "batch acknowledged"]
    assert (first.received, first.written, first.expired) == (3, 2, 1)
    assert cloud.quarantined() == []


def test_a_container_that_sees_only_valid_clicks_makes_no_client_of_s3(function, kinesis_event):
    function(kinesis_event([click(), click(1)]))
    assert function.clients == ["dynamodb"]

    for first in (2, 4):
        function(kinesis_event([click(2), b"no JSON"], first=first))
    assert function.clients == ["dynamodb", "s3"]


def test_clicks_of_an_aggregate_are_rows_that_name_their_position(function, cloud, kinesis_event):
    clicks = [click(0), click(1), click(1, Click_Counts=9), click(1)]
    payloads = [json.dumps(each).encode() for each in clicks]
    assert function(kinesis_event([aggregate(payloads)])) == DONE

    first, second = sorted(cloud.rows(names.CLICK_TABLE), key=lambda row: row["Timestamp"])
    assert "Sub_Sequence_Number" not in first
    assert (second["Sequence_Number"], second["Sub_Sequence_Number"]) == (first["Sequence_Number"], 3)
    ((key, body),) = cloud.objects("quarantine/").items()
    assert key.endswith(f"-{first['Sequence_Number']}.2.json")
    assert json.loads(body)["rule"].endswith(f"{first['Sequence_Number']}.1")


def test_empty_batch_is_acknowledged_without_a_call(function, kinesis_event):
    assert function(kinesis_event([])) == DONE
    assert function.calls == []


def test_poison_record_in_mid_batch_is_quarantined_and_its_neighbours_are_written(function, cloud, kinesis_event):
    payload = b'{"Item_ID": "MOB001", \xff\xfe'

    assert function(kinesis_event([click(0), payload, click(1)])) == DONE

    assert len(cloud.rows(names.CLICK_TABLE)) == 2
    number = "49650000000000000000000000000000000000000000000000000001"
    ((key, document),) = cloud.objects("").items()
    assert key == f"quarantine/ClickDataStream/2026/11/22/14/shardId-000000000000-{number}.json"
    document = json.loads(document)
    assert b64decode(document.pop("payload_base64")) == payload
    assert document.pop("rule")
    assert document.pop("value")
    assert document == {
        "reason": "not_json",
        "field": None,
        "envelope": {
            "stream": "ClickDataStream",
            "shard_id": "shardId-000000000000",
            "sequence_number": number,
            "arrival_time": "2026-11-22T14:30:00.250000",
            "partition_key": "key-1",
        },
        "function": "KinesisToDynamoDBProcessor",
        "history": [],
    }


def test_every_malformed_record_is_quarantined_for_its_reason(function, cloud, kinesis_event):
    files = sorted((EVENTS / "malformed").iterdir())
    hostile = {b"": "not_json", b"\x00" * 1_000_000: "not_json", b"[" * 5000: "not_json", b"[]": "not_an_object"}
    expected = [file.name.split("--")[0] for file in files] + list(hostile.values())

    assert function(kinesis_event([*(file.read_bytes() for file in files), *hostile])) == DONE

    assert [record.reason for record in cloud.quarantined()] == expected
    # Ever so many of them: one object.
    assert len(cloud.objects("")) == 1
    assert cloud.rows(names.CLICK_TABLE) == []


def test_same_click_twice_in_a_batch_is_one_row_with_the_last_envelope(function, cloud, kinesis_event, caplog):
    # The same instant, written differently.
    again = click(Timestamp="2026-11-22T15:29:00+01:00")

    with caplog.at_level(logging.INFO):
        assert function(kinesis_event([click(), again])) == DONE

    (row,) = cloud.rows(names.CLICK_TABLE)
    assert row["Sequence_Number"].endswith("1")
    assert cloud.objects("") == {}
    (line,) = [record for record in caplog.records if record.message == "batch acknowledged"]
    assert (line.received, line.written, line.duplicates, line.quarantined) == (2, 1, 1, {})


def test_same_key_with_other_content_keeps_the_first_and_quarantines_the_later_ones(function, cloud, kinesis_event):
    batch = [click(), click(Click_Counts=4), click(), click(Item_Name="Other")]

    assert function(kinesis_event(batch)) == DONE

    (row,) = cloud.rows(names.CLICK_TABLE)
    assert (row["Click_Counts"], row["Item_Name"]) == (3, "Mobile")
    conflicts = cloud.quarantined()
    assert [conflict.reason for conflict in conflicts] == ["key_conflict", "key_conflict"]
    assert [conflict.envelope.sequence_number[-1] for conflict in conflicts] == ["1", "3"]
    assert conflicts[0].value == "2026-11-22T14:29:00.000000, MOB001"


def test_an_event_id_makes_a_row_of_its_own_beside_other_clicks_of_its_item_and_time(function, cloud, kinesis_event):
    batch = [click(), click(Event_ID="1"), click(Event_ID="2"), click(Event_ID="1"), click()]

    assert function(kinesis_event(batch)) == DONE
    assert function(kinesis_event(batch, first=10)) == DONE

    rows = {row["Timestamp"]: row for row in cloud.rows(names.CLICK_TABLE)}
    time = "2026-11-22T14:29:00.000000"
    assert {key: row.get("Event_ID") for key, row in rows.items()} == {time: None, f"{time}#1": "1", f"{time}#2": "2"}
    assert {row["Item_Hour_Shard"] for row in rows.values()} == {"MOB001#2026-11-22T14#0"}
    assert rows[f"{time}#1"]["Sequence_Number"].endswith("13")
    assert cloud.rows(names.CLICK_ITEM_TABLE) == [{"Item_ID": "MOB001", "Item_Name": "Mobile"}]
    assert cloud.objects("") == {}


def test_an_event_id_that_comes_with_another_time_in_one_batch_is_no_second_row(function, cloud, kinesis_event):
    batch = [click(Event_ID="1"), click(1, Event_ID="1"), click(1, Event_ID="1", Item_ID="LAP002")]

    assert function(kinesis_event(batch)) == DONE

    assert len(cloud.rows(names.CLICK_TABLE)) == 2
    (conflict,) = cloud.quarantined()
    assert (conflict.reason, conflict.field, conflict.value) == ("key_conflict", "Event_ID, Item_ID", "1, MOB001")


def test_thousand_distinct_clicks_take_forty_calls_once_their_item_is_known(function, cloud, kinesis_event):
    function(kinesis_event([click(0)]))
    function.calls.clear()

    for start in (0, 500):
        assert function(kinesis_event([click(start + n) for n in range(500)], first=start)) == DONE

    assert function.calls == ["BatchWriteItem"] * 40
    assert len(cloud.rows(names.CLICK_TABLE)) == 1000


def test_unprocessed_items_are_sent_again_until_all_are_written(function, cloud, kinesis_event, no_waiting):
    refused_batches = []

    def accept_half(request):
        if len(refused_batches) == 4:
            return None
        wanted = json.loads(request.body)["RequestItems"][names.CLICK_TABLE]
        taken, refused = wanted[: len(wanted) // 2], wanted[len(wanted) // 2 :]
        refused_batches.append(refused)
        if taken:
            cloud.dynamodb.batch_write_item(RequestItems={names.CLICK_TABLE: taken})
        return 200, {"UnprocessedItems": {names.CLICK_TABLE: refused}}

    function(kinesis_event([click(99)]))
    function.on_wire("BatchWriteItem", accept_half)

    assert function(kinesis_event([click(n) for n in range(20)])) == DONE

    assert [len(refused) for refused in refused_batches] == [10, 5, 3, 2]
    assert len(cloud.rows(names.CLICK_TABLE)) == 21
    assert len(no_waiting) == 4
    assert all(0 <= wait <= 0.05 * 2**attempt for attempt, wait in enumerate(no_waiting))


def test_items_that_stay_unprocessed_answer_the_first_sequence_number_after_bounded_attempts(
    function, kinesis_event, no_waiting
):
    function.on_wire(
        "BatchWriteItem",
        lambda request: (200, {"UnprocessedItems": json.loads(request.body)["RequestItems"]}),
    )
    event = kinesis_event([click(), b"poison"], first=7)

    assert function(event) == first_of(event)
    assert function.calls.count("BatchWriteItem") == 10


def test_unprocessed_items_are_not_repeated_when_no_time_is_left(function, kinesis_event, no_waiting):
    function.on_wire(
        "BatchWriteItem",
        lambda request: (200, {"UnprocessedItems": json.loads(request.body)["RequestItems"]}),
    )
    event = kinesis_event([click()])

    assert function(event, remaining_seconds=0.5) == first_of(event)
    assert function.calls == []


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "ProvisionedThroughputExceededException"),
        (400, "ThrottlingException"),
        (400, "AccessDeniedException"),
        (400, "ResourceNotFoundException"),
        (500, "InternalServerError"),
    ],
)
def test_failing_table_answers_the_first_sequence_number_and_a_retry_writes_all(
    function, cloud, kinesis_event, no_waiting, status, code, caplog
):
    failing = True
    function.on_wire("BatchWriteItem", lambda _: (status, {"__type": code}) if failing else None)
    event = kinesis_event([click(n) for n in range(60)])

    assert function(event) == first_of(event)
    assert cloud.rows(names.CLICK_TABLE) == []
    (line,) = [record for record in caplog.records if record.message == "batch not acknowledged"]
    assert (line.levelname, line.written) == ("ERROR", 0)
    assert code in line.error

    failing = False
    assert function(event) == DONE
    assert len(cloud.rows(names.CLICK_TABLE)) == 60
    # The failed attempt did not make the container believe that the item is known.
    assert len(cloud.rows(names.CLICK_ITEM_TABLE)) == 1


def test_failing_quarantine_answers_the_first_record_for_it(function, cloud, kinesis_event, no_waiting):
    failing = True
    function.on_wire("PutObject", lambda _: (503, {}) if failing else None)
    event = kinesis_event([click(), b"poison", click(1)])

    assert function(event) == first_of({"Records": event["Records"][1:]})

    failing = False
    assert function(event) == DONE
    assert len(cloud.objects("quarantine/")) == 1
    assert len(cloud.rows(names.CLICK_TABLE)) == 2


def test_same_batch_again_writes_the_same_keys_and_the_same_quarantine(new_function, cloud, kinesis_event):
    event = kinesis_event([click(0), b"poison", click(1), click(1, Click_Counts=9)])

    new_function("kinesis_to_dynamodb")(event)
    quarantined, rows = cloud.objects(""), len(cloud.rows(names.CLICK_TABLE))
    new_function("kinesis_to_dynamodb")(event)

    assert cloud.objects("") == quarantined
    assert len(quarantined) == 1
    assert len(cloud.quarantined()) == 2
    assert len(cloud.rows(names.CLICK_TABLE)) == rows == 2


def test_time_is_judged_against_arrival_so_that_a_late_retry_gives_the_same_verdict(function, cloud, kinesis_event):
    # Ten minutes and a second ahead of its arrival, though long past when this test runs on a later day.
    early = click(Timestamp="2026-11-22T14:40:01.250001")

    assert function(kinesis_event([early])) == DONE

    (document,) = cloud.objects("quarantine/").values()
    assert json.loads(document)["reason"] == "in_future"


def test_item_under_two_names_in_one_batch_is_one_known_item(function, cloud, kinesis_event):
    assert function(kinesis_event([click(0), click(1, Item_Name="Renamed")])) == DONE
    assert cloud.rows(names.CLICK_ITEM_TABLE) == [{"Item_ID": "MOB001", "Item_Name": "Renamed"}]


def test_longest_keys_that_the_contract_allows_fit_the_table(function, cloud, kinesis_event):
    longest = click(Item_ID="\U0001f69a" * 256, Item_Name="\U0001f69a" * 512, Click_Counts=2**53)
    named = longest | {"Event_ID": "\U0001f69a" * 128}

    assert function(kinesis_event([longest, named])) == DONE
    rows = cloud.rows(names.CLICK_TABLE)
    assert [row["Click_Counts"] for row in rows] == [2**53, 2**53]
    # It is the sort key of the index too, which moto's table lacks.
    assert max(len(row["Timestamp"].encode()) for row in rows) <= 1024


def test_index_key_is_spread_over_the_shards_that_are_set(monkeypatch, new_function, cloud, kinesis_event):
    monkeypatch.setenv("CLICK_INDEX_SHARDS", "4")

    new_function("kinesis_to_dynamodb")(kinesis_event([click(n) for n in range(100)]))

    shards = {row["Item_Hour_Shard"] for row in cloud.rows(names.CLICK_TABLE)}
    assert shards == {f"MOB001#2026-11-22T14#{shard}" for shard in range(4)}


def test_summary_line_has_counts_and_no_payload(function, kinesis_event, caplog):
    with caplog.at_level(logging.INFO):
        function(kinesis_event([click(), {"Item_ID": "secret"}]))

    (line,) = caplog.records
    assert (line.received, line.written, line.duplicates, line.quarantined) == (2, 1, 0, {"missing": 1})
    assert isinstance(line.oldest_lag_seconds, float)
    assert "secret" not in str(line.__dict__)


def test_missing_variable_stops_the_container_and_is_named(monkeypatch, environment, new_function):
    monkeypatch.setenv("CLICK_TABLE", "")

    with pytest.raises(ValueError, match="environment variable CLICK_TABLE is missing"):
        new_function("kinesis_to_dynamodb")


def test_unusable_variable_stops_the_container_and_is_named(monkeypatch, environment, new_function):
    monkeypatch.setenv("CLICK_INDEX_SHARDS", "none")

    with pytest.raises(ValueError, match="environment variable CLICK_INDEX_SHARDS='none'"):
        new_function("kinesis_to_dynamodb")
