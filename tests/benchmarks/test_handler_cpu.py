"""What a batch costs the functions in CPU: nothing listens, every request is answered in this process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import count, islice
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse

from include import names
from include.contracts import TimeLimits
from include.contracts.metric_policy import DEFAULT_METRIC_POLICY
from lambdas.common import batch
from lambdas.common.aws import CONFIG
from lambdas.truck_data import logic
from lambdas.truck_data.truck_state_store import update_statement
from tests.benchmarks.traffic import clicks, readings
from tests.fixtures import functions
from tests.fixtures.benchmarks import Benchmarks, Seconds, Side, alternate
from tests.fixtures.functions import Event, Function, answered, function, kinesis_event

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
BATCH = 500
ROUNDS = 15
ENVIRONMENT = {**functions.ENVIRONMENT, "POWERTOOLS_SERVICE_NAME": "benchmark"}


def _answer(call: str, request: Any) -> AWSResponse:
    """Every store takes everything."""
    answers = {"BatchExecuteStatement": {"Responses": [{"TableName": names.TRUCK_STATE_TABLE}] * 25}}
    operation = call.rpartition(".")[2]
    body = b"" if operation == "PutObject" else json.dumps(answers.get(operation, {})).encode()
    return answered(request, body)


@pytest.fixture
def stubbed(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3's sessions, whose requests are answered at once; no connection is opened."""
    real = boto3.Session

    def session(*given: Any, **more: Any) -> boto3.Session:
        made = real(*given, **more)
        made.events.register("before-send", lambda request, event_name, **_: _answer(event_name, request))
        return made

    monkeypatch.setattr(boto3, "Session", session)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def cpu_of(handler: Function, event: Callable[[], Event]) -> Side:
    """The CPU of this process, with all its threads, for one batch."""

    def prepare() -> Callable[[], object]:
        events = [event()]

        def work() -> Seconds:
            begun = time.process_time()
            handler(events)
            return Seconds(time.process_time() - begun)

        return work

    return prepare


def test_invalid_records_cost_no_more_than_valid_ones(benchmarks: Benchmarks, stubbed):
    valid = clicks()
    # The most expensive reason: the thorough decoder looks for what else it may be.
    invalid = (b"this is no JSON, %d" % number for number in count())
    with function("kinesis_to_dynamodb", ENVIRONMENT, answer=_answer) as handler:
        seconds = alternate(
            ROUNDS,
            valid=cpu_of(handler, lambda: kinesis_event(names.CLICK_STREAM, islice(valid, BATCH))),
            invalid=cpu_of(handler, lambda: kinesis_event(names.CLICK_STREAM, islice(invalid, BATCH))),
        )
        puts = handler.calls["s3.PutObject"]
    assert puts == ROUNDS + 1, "one object per batch"
    benchmarks.report(
        "handler_cpu_500_invalid_vs_valid",
        seconds["invalid"] * 1000,
        "ms",
        baseline=seconds["valid"] * 1000,
        must_be="<= 1.0",
    )


def test_readings_of_500_trucks(benchmarks: Benchmarks, stubbed):
    source = readings(BATCH)

    def event() -> Event:
        return kinesis_event(names.TRUCK_STREAM, islice(source, BATCH))

    def plain_calls() -> Callable[[], object]:
        """The same statements, ready to be sent, through boto3 with our settings: what the states alone once cost."""
        client = boto3.client("dynamodb", config=CONFIG)
        ready = logic.prepare(batch.records(event()), TimeLimits(), DEFAULT_METRIC_POLICY, ingested_at="2026")
        statements = []
        for item, _ in ready.states:
            assigned = tuple(name for name in item if name != "Truck_ID")
            parameters = [*(item[name] for name in assigned), item["Truck_ID"], item["Recency"]]
            statement = update_statement(names.TRUCK_STATE_TABLE, assigned)
            given = {"Statement": statement, "Parameters": parameters, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
            statements.append(given)

        def work() -> Seconds:
            begun = time.process_time()
            for start in range(0, BATCH, 25):
                client.batch_execute_statement(Statements=statements[start : start + 25])
            return Seconds(time.process_time() - begun)

        return work

    with function("truck_data", ENVIRONMENT, answer=_answer) as handler:
        seconds = alternate(ROUNDS, ours=cpu_of(handler, event), plain_calls=plain_calls)
        assert handler.calls["dynamodb.BatchExecuteStatement"] == 20 * (ROUNDS + 1)
    benchmarks.report(
        "handler_cpu_500_trucks_vs_plain_calls",
        seconds["ours"] * 1000,
        "ms",
        baseline=seconds["plain_calls"] * 1000,
        # 1.65 while botocore serialized every attribute, of which 0.7.
        must_be="<= 1.15",
    )


def test_cold_import_beside_boto3s_own(benchmarks: Benchmarks):
    """CPU in fresh interpreters, less that of an empty one."""

    def cpu(code: str) -> float:
        # resource counts the children that have ended.
        import resource

        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        environment = {**ENVIRONMENT, "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, "-c", code], env=environment, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    codes = {
        "empty": "pass",
        "boto3": "import boto3; boto3.client('dynamodb')",
        **{each: f"import lambdas.{each}.handler" for each in ("kinesis_to_dynamodb", "truck_data")},
    }
    taken: dict[str, list[float]] = {name: [] for name in codes}
    for _ in range(15):
        for name, code in codes.items():
            taken[name].append(cpu(code))
    # What else the machine does only adds.
    least = {name: min(each) for name, each in taken.items()}
    for each in ("kinesis_to_dynamodb", "truck_data"):
        benchmarks.report(
            f"handler_cold_import_cpu_{each}",
            (least[each] - least["empty"]) * 1000,
            "ms",
            baseline=(least["boto3"] - least["empty"]) * 1000,
            must_be="<= 1.25",
        )
