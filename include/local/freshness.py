"""Samples how long a reading takes to become the state of its truck that anyone can read."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from types import TracebackType

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from include import names
from include.contracts import times
from include.local.truth import AWS_CONFIG

# Adds at most this to what is measured.
POLL_SECONDS = 0.2


class TruckStateSampler:
    """While entered, polls TruckLatestState; ``latencies`` are seconds from a state's arrival to its sight."""

    def __init__(self) -> None:
        self.latencies: list[float] = []
        self._seen: dict[str, str] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="truck-state-sampler", daemon=True)

    def __enter__(self) -> TruckStateSampler:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        scan = boto3.client("dynamodb", config=AWS_CONFIG).get_paginator("scan")
        while not self._stop.wait(POLL_SECONDS):
            try:
                pages = list(scan.paginate(TableName=names.TRUCK_STATE_TABLE))
            except (BotoCoreError, ClientError):
                continue  # A sample less; the stores themselves are checked by the table of truth.
            now = datetime.now(UTC)
            for item in (item for page in pages for item in page["Items"]):
                truck, arrival = item["Truck_ID"]["S"], item["Arrival_Time"]["S"]
                if self._seen.get(truck) != arrival:
                    self._seen[truck] = arrival
                    self.latencies.append((now - times.parse(arrival)).total_seconds())
