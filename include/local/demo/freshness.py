"""Samples how long a record takes from its stream to a row that can be read, by reading while the traffic runs."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

import boto3
import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from include import names
from include.click_table import BATCH_KEYS
from include.contracts import times
from include.generator.manifest import ManifestRecord
from include.local.demo.connections import AWS_CONFIG

# Adds at most this to a measured latency.
POLL_SECONDS = 0.2
# One click of this many is looked for.
CLICKS_PER_SAMPLE = 20

_decode = msgspec.json.Decoder(ManifestRecord).decode

# As DynamoDB's API returns it: attribute -> type -> value.
DynamoDbItem = dict[str, dict[str, str]]


class Sampler(ABC):
    """Reads new rows between ``__enter__`` and ``__exit__``.

    Attributes:
        latencies: seconds from each record's arrival in its stream until its row was read.
    """

    def __init__(self) -> None:
        self.latencies: list[float] = []
        self._dynamodb = boto3.client("dynamodb", config=AWS_CONFIG)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            try:
                rows = list(self._rows())
            except (BotoCoreError, ClientError):
                continue  # One sample less; the acceptance report checks the stores themselves.
            now = datetime.now(UTC)
            for item in rows:
                if self._is_new(item):
                    self.latencies.append((now - times.parse(item["Arrival_Time"]["S"])).total_seconds())

    @abstractmethod
    def _rows(self) -> Iterator[DynamoDbItem]:
        """Read the rows that may be new."""

    @abstractmethod
    def _is_new(self, item: DynamoDbItem) -> bool:
        """Whether no earlier read saw this record's row; mark it as seen."""


class TruckStateSampler(Sampler):
    """Reads all of TruckLatestState; it misses a state that is replaced between two reads."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[str, str] = {}

    def _rows(self) -> Iterator[DynamoDbItem]:
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=names.TRUCK_STATE_TABLE)
        return (item for page in pages for item in page["Items"])

    def _is_new(self, item: DynamoDbItem) -> bool:
        truck, arrival = item["Truck_ID"]["S"], item["Arrival_Time"]["S"]
        is_new = self._seen.get(truck) != arrival
        self._seen[truck] = arrival
        return is_new


class ClickSampler(Sampler):
    """Looks for a sample of the manifest's clicks in ClickStreamData, until each is there."""

    def __init__(self, manifest: Path) -> None:
        super().__init__()
        self._manifest = manifest
        self._read = 0  # bytes of the manifest
        self._clicks = 0
        self._missing: dict[tuple[str, str], None] = {}  # A set that keeps its order.

    def _rows(self) -> Iterator[DynamoDbItem]:
        self._missing |= dict.fromkeys(self._new_keys())
        keys = [{"Timestamp": {"S": time}, "Item_ID": {"S": item}} for time, item in islice(self._missing, BATCH_KEYS)]
        if not keys:
            return iter(())
        request: dict[str, Any] = {names.CLICK_TABLE: {"Keys": keys, "ConsistentRead": True}}
        return iter(self._dynamodb.batch_get_item(RequestItems=request)["Responses"].get(names.CLICK_TABLE, []))

    def _is_new(self, item: DynamoDbItem) -> bool:
        del self._missing[item["Timestamp"]["S"], item["Item_ID"]["S"]]
        return True

    def _new_keys(self) -> Iterator[tuple[str, str]]:
        if not self._manifest.exists():
            return
        with self._manifest.open("rb") as manifest:
            manifest.seek(self._read)
            written = manifest.read()
        whole = written[: written.rfind(b"\n") + 1]
        self._read += len(whole)
        for record in map(_decode, whole.splitlines()):
            if record.stream == names.CLICK_STREAM and record.kind == "valid" and record.key:
                self._clicks += 1
                if self._clicks % CLICKS_PER_SAMPLE == 0:
                    yield record.key
