"""Counts one hour of a stream with the ledger's own code, in a process of its own, and says what it took.

    python -m tests.benchmarks.ledger_hour ClickDataStream 1000000

Everything balances.  The clients are botocore's; their requests are answered from files that are written beforehand, so
that parsing AWS's answers is measured and the network is not.  Rows of Snowflake come as the connector returns them.
"""

from __future__ import annotations

import gzip
import io
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.session import get_session

from include import names
from include.aws_clients import StoreClients
from include.contracts.archive import ArchivedRecord, encode_line
from include.contracts.click import item_hour_shard
from include.contracts.times import to_canonical
from include.ledger.reconciliation import reconcile_stream

HOUR = datetime(2026, 11, 27, 10, tzinfo=UTC)
SHARDS, ITEMS = 10, 100
# Firehose closes an object after 64 MB or a minute: at 10,000 records a second after some 150,000 records.
OBJECT_RECORDS = 100_000
# Rows in an answer of 1 MB.
PAGE_ROWS = 4000


class Took(msgspec.Struct):
    """What counting an hour took."""

    records: int
    cpu_seconds: float
    # Peak memory above that before it began, and the most that the temporary files had.
    memory_mb: float
    disk_mb: float


def main(stream: str, records: int) -> None:
    with tempfile.TemporaryDirectory(prefix="ledger-benchmark-") as made:
        stores = _Stores(stream, records, Path(made))
        # In a process of its own: the peak of memory is this one's.
        writer = multiprocessing.get_context("fork").Process(target=stores.write)
        writer.start()
        writer.join()
        assert writer.exitcode == 0
        sys.stdout.buffer.write(msgspec.json.encode(_count(stream, records, stores)) + b"\n")


def _count(stream: str, records: int, stores: _Stores) -> Took:
    session = get_session()
    session.register("before-send", stores.answer)
    keys = {"region_name": "us-east-1", "aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    clients = StoreClients(session.create_client("s3", **keys), session.create_client("dynamodb", **keys))
    disk = _Disk()
    disk.start()
    before, begun = _peak_mb(), time.process_time()
    (balance,) = reconcile_stream(clients, _Raw(records), "bucket", stream, [HOUR])  # type: ignore[arg-type] # Stands in.
    cpu = time.process_time() - begun
    disk.ended.set()
    assert balance.archived == balance.landed == records, balance
    assert balance.balanced, balance
    return Took(records, cpu, _peak_mb() - before, disk.most / 1e6)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _sequence_number(number: int) -> str:
    return f"{4965 * 10**52 + number}"


def _shard(number: int) -> str:
    return f"shardId-{number % SHARDS:012}"


def _arrival(number: int, records: int) -> str:
    return to_canonical(HOUR + timedelta(hours=1) * (number / records))


def _item(number: int) -> str:
    return f"ITM{number % ITEMS:03}"


class _Stores:
    """S3 and DynamoDB with the records of the hour."""

    def __init__(self, stream: str, records: int, directory: Path) -> None:
        self._stream, self._records, self._directory = stream, records, directory
        self._prefix = f"{names.ARCHIVE_PREFIX}{stream}/{HOUR:%Y/%m/%d/%H}/"

    def write(self) -> None:
        """Write the answers."""
        for start in range(0, self._records, OBJECT_RECORDS):
            numbers = range(start, min(start + OBJECT_RECORDS, self._records))
            lines = b"".join(encode_line(self._archived(number)) for number in numbers)
            (self._directory / f"{start:012}").write_bytes(gzip.compress(lines, 1))
        if self._stream == names.CLICK_STREAM:
            for item in range(min(ITEMS, self._records)):
                self._write_pages(item)

    def _archived(self, number: int) -> ArchivedRecord:
        arrival = _arrival(number, self._records)
        click = {"Item_ID": _item(number), "Item_Name": "A Thing", "Timestamp": arrival, "Click_Counts": number % 50}
        # The ledger does not read a reading; its size is that of one.
        payload = json.dumps(click).encode() if self._stream == names.CLICK_STREAM else b"x" * 600
        return ArchivedRecord(
            self._stream, _shard(number), _sequence_number(number), arrival, _item(number), b64encode(payload).decode()
        )

    def _write_pages(self, item: int) -> None:
        """An item's rows as the pages of a query."""
        numbers = range(item, self._records, ITEMS)
        for page, start in enumerate(range(0, len(numbers), PAGE_ROWS)):
            rows = [
                {
                    "Timestamp": {"S": (arrival := _arrival(number, self._records))},
                    "Item_ID": {"S": _item(number)},
                    "Item_Name": {"S": "A Thing"},
                    "Click_Counts": {"N": str(number % 50)},
                    "Arrival_Time": {"S": arrival},
                }
                for number in numbers[start : start + PAGE_ROWS]
            ]
            more = start + PAGE_ROWS < len(numbers)
            answer = {"Items": rows, **({"LastEvaluatedKey": {"page": {"N": str(page + 1)}}} if more else {})}
            (self._directory / f"{_item(item)}-{page}").write_bytes(json.dumps(answer).encode())

    def answer(self, request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse:
        match event_name.rpartition(".")[2]:
            case "ListObjectsV2":
                body = self._listing(request.url)
            case "GetObject":
                body = (self._directory / request.url.rpartition("/")[2]).read_bytes()
            case "Scan":
                body = json.dumps({"Items": [{"Item_ID": {"S": _item(number)}} for number in range(ITEMS)]}).encode()
            case "Query":
                body = self._page(json.loads(request.body))
            case operation:
                raise AssertionError(f"the ledger needs no {operation} where all balances")
        return AWSResponse(request.url, 200, {"content-length": str(len(body))}, _Body(body))

    def _listing(self, url: str) -> bytes:
        if self._prefix.rpartition("/2026")[0] not in unquote(url) or "quarantine" in url:
            return b"<ListBucketResult/>"
        modified = (HOUR + timedelta(hours=1)).isoformat().replace("+00:00", "Z")
        entries = "".join(
            f"<Contents><Key>{self._prefix}{start:012}</Key><LastModified>{modified}</LastModified><Size>1</Size></Contents>"
            for start in range(0, self._records, OBJECT_RECORDS)
        )
        return f"<ListBucketResult>{entries}</ListBucketResult>".encode()

    def _page(self, query: dict[str, Any]) -> bytes:
        item = query["ExpressionAttributeValues"][":partition"]["S"]
        for number in range(ITEMS):
            if item == item_hour_shard(_item(number), to_canonical(HOUR), 0):
                page = query.get("ExclusiveStartKey", {"page": {"N": "0"}})["page"]["N"]
                path = self._directory / f"{_item(number)}-{page}"
                return path.read_bytes() if path.exists() else b'{"Items": []}'
        return b'{"Items": []}'


class _Disk(threading.Thread):
    """Looks how much of the disk this process's files take, with those of SQLite that have no name any more."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = 0
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.1):
            with suppress(FileNotFoundError):
                files = [path.stat() for path in Path("/proc/self/fd").iterdir() if path.is_file()]
                self.most = max(self.most, sum({each.st_ino: each.st_size for each in files}.values()))


class _Body(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


class _Raw:
    """RAW's readings, as rows of readings_of_hour.sql."""

    def __init__(self, records: int) -> None:
        self._records = records
        self._given = 0

    def cursor(self) -> _Raw:
        return self

    def execute(self, statement: str, values: dict[str, str]) -> None:
        self._is_count = "NULLED_METRICS" in statement

    def fetchone(self) -> tuple[Any, ...]:
        return (0,) if self._is_count else (datetime(2026, 11, 1),)  # noqa: DTZ001  As the connector gives NTZ.

    def fetchmany(self, size: int) -> list[tuple[Any, ...]]:
        start, self._given = self._given, min(self._given + size, self._records)
        loaded = datetime(2026, 11, 27, 11)  # noqa: DTZ001
        return [
            (_shard(number), _sequence_number(number), 0, loaded, _item(number), loaded, "covered")
            for number in range(start, self._given)
        ]

    def close(self) -> None:
        pass


if __name__ == "__main__":
    os.environ.pop("AWS_ENDPOINT_URL", None)
    main(sys.argv[1], int(sys.argv[2]))
