"""AWS for the plugins' tests: moto, which Airflow's AWS connections lead to."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import boto3
import pytest
from clicks_to_deliveries import telemetry
from clicks_to_deliveries.operators import one_writer
from moto import mock_aws

from include.local.demo.environment import AWS_CONNECTIONS

# Not us-east-1, where S3 creates a bucket even if the region is not given.
REGION = "eu-central-1"


@pytest.fixture(autouse=True)
def _no_other_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' Snowflakes know no leases; tests/integration/dags/test_one_writer.py has a real one."""
    monkeypatch.setattr(one_writer, "_this_task", lambda _: None)
    monkeypatch.setattr(one_writer.writer_lease, "held", lambda *_, **__: nullcontext())


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """What a task counts and measures: name without prefix -> number."""
    sent: dict[str, float] = {}

    class Stats:
        def incr(self, stat: str, count: int = 1) -> None:
            name = stat.removeprefix(f"{telemetry.PREFIX}.")
            sent[name] = sent.get(name, 0) + count

        def gauge(self, stat: str, value: float) -> None:
            sent[stat.removeprefix(f"{telemetry.PREFIX}.")] = value

    monkeypatch.setattr(telemetry, "task_stats", Stats)
    return sent


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Makes the client of a service; no variable of the environment leads to the real AWS."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    connection = json.dumps({"conn_type": "aws", "extra": {"region_name": REGION}})
    for name in AWS_CONNECTIONS:
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", connection)
    with mock_aws():
        yield lambda service: boto3.client(service, REGION)
