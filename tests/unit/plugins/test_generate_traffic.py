"""The generator behind the DAG: its plan from the form, its state from run to run (Kinesis is moto's)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from airflow.sdk import Variable
from clicks_to_deliveries.operators.generate_traffic import GenerateTrafficOperator

from include import names
from include.generator import TrafficSummary

pytestmark = pytest.mark.unit

PLAN = {"clicks": 20, "readings": 30, "clicks_per_second": 1000, "readings_per_second": 1000}


@pytest.fixture(autouse=True)
def kinesis(aws: Callable[[str], Any]) -> Any:
    client = aws("kinesis")
    for stream in (names.CLICK_STREAM, names.TRUCK_STREAM):
        client.create_stream(StreamName=stream, ShardCount=1)
    return client


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    kept: dict[str, str] = {}
    monkeypatch.setattr(Variable, "get", lambda key, default: kept.get(key, default))
    monkeypatch.setattr(Variable, "set", kept.__setitem__)
    monkeypatch.setattr(Variable, "delete", lambda key: kept.pop(key, None))
    return kept


def send(*, run: str = "one", attempt: int = 1, **plan: Any) -> dict[str, Any]:
    context = {"run_id": run, "ti": SimpleNamespace(try_number=attempt)}
    return GenerateTrafficOperator(task_id="generate", plan=PLAN | plan).execute(context)


def readings(kinesis: Any) -> list[dict[str, Any]]:
    (shard,) = kinesis.describe_stream(StreamName=names.TRUCK_STREAM)["StreamDescription"]["Shards"]
    iterator = kinesis.get_shard_iterator(
        StreamName=names.TRUCK_STREAM, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    return [json.loads(record["Data"]) for record in kinesis.get_records(ShardIterator=iterator)["Records"]]


def test_what_the_form_asks_for_is_sent_and_summed_up(kinesis: Any) -> None:
    summary = send()
    assert summary["streams"][names.CLICK_STREAM]["valid"] == 20
    assert len(readings(kinesis)) == summary["streams"][names.TRUCK_STREAM]["sent"] == 30
    json.dumps(summary)


def test_rendered_texts_and_empty_fields_are_understood(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.jsonl"
    summary = send(clicks="10", malformed="0.1", manifest=str(manifest), seed=None)
    assert summary["streams"][names.CLICK_STREAM]["sent"] == 10
    assert sum(summary["streams"][names.CLICK_STREAM]["malformed"].values()) == 1
    assert len(manifest.read_text().splitlines()) == 40


def test_a_share_from_the_field_is_sent_of_the_chosen_cases() -> None:
    summary = send(clicks=0, readings=100, field="0.5", field_cases="passing")
    assert 50 <= sum(summary["streams"][names.TRUCK_STREAM]["field"].values()) <= 100
    with pytest.raises(msgspec.ValidationError, match="field_cases"):
        send(field_cases="some")


def test_a_value_out_of_range_is_refused_by_name() -> None:
    with pytest.raises(msgspec.ValidationError, match="late"):
        send(late=1.5)


def test_trucks_drive_on_in_the_next_run(kinesis: Any, variables: dict[str, str]) -> None:
    send()
    assert list(variables) == [names.TRAFFIC_STATE_VARIABLE]
    send()
    odometer: dict[str, list[float]] = {}
    for reading in readings(kinesis):
        lower = {key.lower(): value for key, value in reading.items()}
        odometer.setdefault(lower["truck_id"], []).append(lower["odometer_reading"])
    for truck, values in odometer.items():
        assert len(values) == 20, truck
        assert values == sorted(values), truck


def test_a_retry_sends_the_rest_and_says_so(variables: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    variables[names.TRAFFIC_PROGRESS_VARIABLE] = json.dumps({"run_id": "one", "clicks": 12, "readings": 30})
    assert send(attempt=2)["planned"] == 8
    assert "12 of 20 clicks and 30 of 30 readings were sent" in capsys.readouterr().out


def test_what_another_run_has_sent_is_sent_again(variables: dict[str, str]) -> None:
    variables[names.TRAFFIC_PROGRESS_VARIABLE] = json.dumps({"run_id": "other", "clicks": 12, "readings": 30})
    assert send(attempt=2)["planned"] == 50


def test_a_task_that_had_sent_everything_and_is_cleared_sends_it_again() -> None:
    send()
    assert send(attempt=2)["planned"] == 50


def test_a_try_that_is_cut_off_leaves_how_much_it_sent(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    def killed(self: GenerateTrafficOperator, summary: TrafficSummary) -> None:
        if summary.finished_at is None and summary.sent:
            raise KeyboardInterrupt

    monkeypatch.setattr(GenerateTrafficOperator, "log_progress", killed)
    with pytest.raises(KeyboardInterrupt):
        send(clicks=20, clicks_per_second=1000, readings=2000)
    kept = json.loads(variables[names.TRAFFIC_PROGRESS_VARIABLE])
    assert 0 < kept["clicks"] + kept["readings"] < 2020
    assert names.TRAFFIC_STATE_VARIABLE in variables
