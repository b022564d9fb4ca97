"""What the functions tell CloudWatch: one blob of the embedded metric format an invocation."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lambdas.common import metrics

pytestmark = pytest.mark.unit

READING = (Path(__file__).parents[2] / "events" / "telemetry" / "valid" / "nested.json").read_bytes()
CLICK = {"Item_ID": "MOB001", "Item_Name": "Mobile", "Timestamp": "2026-11-22T14:29:00Z", "Click_Counts": 3}


@pytest.fixture
def blobs(capsys) -> Callable[[], list[dict[str, Any]]]:
    """The blobs on standard output so far, which is where Lambda takes them from."""

    def read() -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return [line for line in lines if "_aws" in line]

    return read


@pytest.fixture
def start(new_function, monkeypatch) -> Callable[[str], Any]:
    def start(package: str) -> Any:
        function = new_function(package)
        importlib.reload(metrics)  # A new container reads its service's name anew.
        return function

    return start


def values(blob: dict[str, Any]) -> dict[str, float]:
    """Metric -> value, of what the blob declares."""
    (declared,) = blob["_aws"]["CloudWatchMetrics"]
    assert declared["Namespace"] == "ClicksToDeliveries"
    assert declared["Dimensions"] == [["service"]]
    assert blob["service"] == "unit-test"
    found = {}
    for metric in declared["Metrics"]:
        (found[metric["Name"]],) = blob[metric["Name"]]
        assert metric["Unit"] == ("Milliseconds" if metric["Name"] == "OldestLag" else "Count")
    return found


def test_clicks_are_counted_with_their_reasons_of_quarantine_and_their_duplicates(start, kinesis_event, blobs):
    batch = [CLICK, CLICK, CLICK | {"Click_Counts": 4}, b"", b"[]", b"{", CLICK | {"Item_ID": "LAP002"}]

    start("kinesis_to_dynamodb")(kinesis_event(batch, arrival=time.time() - 90))

    (blob,) = blobs()
    counted = values(blob)
    assert 90_000 <= counted.pop("OldestLag") < 120_000
    assert counted == {
        "Processed": 7,
        "Duplicates": 1,
        "Quarantined": 4,
        "Quarantined.not_json": 2,
        "Quarantined.not_an_object": 1,
        "Quarantined.key_conflict": 1,
    }


def test_readings_are_counted_with_their_repeated_instants(start, kinesis_event, blobs):
    start("truck_data")(kinesis_event([READING, b"", READING], stream="TruckTelemetry", arrival=time.time()))

    (blob,) = blobs()
    counted = values(blob)
    assert counted.pop("OldestLag") < 30_000
    assert counted == {"Processed": 3, "Duplicates": 1, "Quarantined": 1, "Quarantined.not_json": 1}


def test_nulled_metrics_are_counted_by_metric(start, kinesis_event, blobs, monkeypatch):
    monkeypatch.setenv("NULL_OUT_OF_RANGE", "gps_latitude, fuel_level")
    identity = {"truck_id": "TRK001", "timestamp": "2026-11-22T14:29:00Z"}
    batch = [{**identity, "gps_latitude": -200}, {**identity, "gps_latitude": -200, "fuel_level": 101}, identity]

    start("truck_data")(kinesis_event(batch, stream="TruckTelemetry"))

    (blob,) = blobs()
    counted = values(blob)
    assert {name: value for name, value in counted.items() if name.startswith("Nulled")} == {
        "Nulled.gps_latitude": 2,
        "Nulled.fuel_level": 1,
    }


def test_healthy_batch_says_that_nothing_was_quarantined(start, kinesis_event, blobs):
    start("kinesis_to_dynamodb")(kinesis_event([CLICK]))

    (blob,) = blobs()
    assert values(blob)["Quarantined"] == 0


@pytest.mark.parametrize("package", ["kinesis_to_dynamodb", "truck_data"])
def test_batch_that_is_delivered_again_is_not_counted_and_only_gets_older(
    start, kinesis_event, blobs, no_waiting, package
):
    function = start(package)
    function.on_wire("PutObject", lambda request: (500, {}))

    assert function(kinesis_event([b"not json"], arrival=time.time() - 5))["batchItemFailures"]

    (blob,) = blobs()
    assert values(blob).keys() == {"OldestLag"}
    assert values(blob)["OldestLag"] >= 5_000


def test_one_invocation_leaves_nothing_behind_for_the_next(start, kinesis_event, blobs):
    function = start("kinesis_to_dynamodb")
    function(kinesis_event([b""]))
    function(kinesis_event([CLICK], first=1))

    first, second = blobs()
    assert values(first)["Processed"] == values(second)["Processed"] == 1
    assert "Quarantined.not_json" not in second


def test_empty_batch_has_counts_and_no_lag(start, kinesis_event, blobs):
    start("truck_data")(kinesis_event([]))

    (blob,) = blobs()
    assert values(blob) == {"Processed": 0, "Duplicates": 0, "Quarantined": 0}


@pytest.mark.parametrize("sender", [{"replay": {"by": "a test"}}, {}], ids=["replay", "rebuild"])
@pytest.mark.parametrize("package", ["kinesis_to_dynamodb", "truck_data"])
def test_stored_records_waited_in_their_store_and_not_in_a_stream(start, kinesis_event, blobs, package, sender):
    start(package)(kinesis_event([b"still not json"]) | {"is_stored": True} | sender)

    (blob,) = blobs()
    assert values(blob) == {"Processed": 1, "Duplicates": 0, "Quarantined": 1, "Quarantined.not_json": 1}
