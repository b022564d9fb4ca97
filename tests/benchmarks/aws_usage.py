"""Counts what traffic uses of AWS: it goes through the functions' own handlers, and nothing is sent.

Every request of their clients is answered here, and counted by the rules by which AWS bills: a write takes a unit per
KB of its row, begun, in the table and again in the index; a record in Kinesis a unit per 25 KB; Firehose counts a
record as a multiple of 5 KB.
"""

from __future__ import annotations

import gzip
import io
import json
import math
import re
import threading
import time
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import count, islice
from typing import Any, NamedTuple

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.session import get_session

from include import names
from include.cloudformation import TEMPLATE
from include.cloudformation.render import load
from lambdas.common.aws import CONCURRENCY
from tests.benchmarks.traffic import clicks, readings
from tests.fixtures import functions
from tests.fixtures.functions import ACKNOWLEDGED, Event, answered, function, kinesis_event

MILLION = 1_000_000
KB, GB = 1024, 1024**3
BATCH = 500
# An index entry and a row each take so many bytes more, stored.
STORED_WITH_EACH = 100
# What Lambda itself logs of an invocation: START, END and REPORT.
LAMBDA_LOG_BYTES = 330
# A line of the API's access log, as the template formats it.
ACCESS_LOG_BYTES = 250
# A CPU of Lambda, in MB of memory.
MB_PER_CPU = 1769

# --- Assumed: a handler waits so long for an answer of AWS, in seconds. -----------------------------------------------
WAIT = {"dynamodb": 0.01, "s3": 0.03, "kinesis": 0.015}
# CPU of an invocation and of each of its records, in milliseconds: as measured here without the network, doubled for
# encryption, sockets and a slower CPU (docs/load.md).  The rows of the benchmarks have the CPU of their run.
CPU_MS = {
    "kinesis_to_dynamodb": (4.0, 0.08),
    "truck_data": (4.0, 0.18),
    "truck_telemetry_api": (4.0, 0.1),
    "archive_envelope": (2.0, 0.02),
    "seed": (1.0, 1.5),
}
# The seed's functions: Lambda's defaults.
SEED_BATCH, SEED_MEMORY_MB = 100, 128

_ASSIGNED = re.compile(r'SET "(\w+)" = \?')


class Stream(NamedTuple):
    """One of the two streams, and the function that processes it."""

    name: str
    package: str
    window_seconds: int
    valid: Callable[[], Iterator[bytes]]


# The same traffic whenever it is counted, so that docs/cost.md can be compared to the last digit.
START = datetime(2026, 11, 1, tzinfo=UTC)
STREAMS = {
    "clicks": Stream(names.CLICK_STREAM, "kinesis_to_dynamodb", 1, lambda: clicks(START)),
    # Every reading of a batch is of another truck: the most that the states can cost.
    "readings": Stream(names.TRUCK_STREAM, "truck_data", 10, lambda: readings(BATCH, START)),
}
KINDS = {
    "clicks": ("valid", "invalid", "sent twice"),
    "readings": ("valid", "invalid", "sent twice", "one per request"),
}
# What goes through the handlers of the streams, and through that of the API.
SENT, REQUESTS = 2 * BATCH, 50


class Usage(NamedTuple):
    """What a million records use, by the names of aws_prices; and the GB-seconds with the CPU of this run."""

    units: Counter[str]
    measured_gb_seconds: float

    def __add__(self, other: Usage) -> Usage:  # type: ignore[override] # Not to be joined, as tuples are.
        return Usage(self.units + other.units, self.measured_gb_seconds + other.measured_gb_seconds)


def usage(stream: str, kind: str, rate: float) -> Usage:
    """What a million records of ``stream`` use at ``rate`` records a second per shard.

    Kinds: valid; invalid (not JSON); every record sent twice, in two batches; one reading per request to the API.
    """
    meter = _Meter()
    sent = list(islice(_payloads(stream, kind), SENT))
    _put(meter, sent, rate)
    for payload in sent:
        meter.units["firehose_gb"] += math.ceil(len(payload) / (5 * KB)) * 5 * KB / GB
    _process(meter, STREAMS[stream], sent, rate)
    _archive(meter, STREAMS[stream], sent, rate)
    used = meter.per_million(SENT)
    return used + _requests(sent[:REQUESTS]) if kind == "one per request" else used


def seeds_usage(stream: str, rate: float) -> Usage:
    """The same for the seed's design: PutItem per click, one object per reading, no archive, no states."""
    meter = _Meter()
    sent = list(islice(STREAMS[stream].valid(), SEED_BATCH))
    _put(meter, sent, rate)
    session = get_session()
    session.register("before-send", meter.observe)
    client = session.create_client("dynamodb" if stream == "clicks" else "s3", region_name="us-east-1", **_KEYS)
    with meter.invocation("seed", len(sent), SEED_MEMORY_MB, at_once=1):
        for number, payload in enumerate(sent):
            if stream == "clicks":
                click = json.loads(payload)
                item = {name: {"S": click[name]} for name in ("Timestamp", "Item_ID", "Item_Name")}
                client.put_item(TableName="clicks", Item={**item, "Click_Counts": {"N": str(click["Click_Counts"])}})
            else:
                client.put_object(Bucket="b", Key=f"{names.LANDING_PREFIX}{number}.json", Body=payload)
    return meter.per_million(len(sent))


# --- Traffic ---------------------------------------------------------------------------------------------------------


def _payloads(stream: str, kind: str) -> Iterator[bytes]:
    valid = STREAMS[stream].valid()
    if kind == "invalid":
        return (b"this is no JSON, %d" % number for number in count())
    return _twice(valid) if kind == "sent twice" else valid


def _twice(source: Iterator[bytes]) -> Iterator[bytes]:
    """Half a batch, and the same once more: the repetition comes in another batch."""
    while True:
        part = list(islice(source, BATCH))
        yield from part
        yield from part


def _put(meter: _Meter, sent: Sequence[bytes], rate: float) -> None:
    """The records in their stream, whoever puts them there."""
    meter.units["put_units"] += sum(math.ceil(len(payload) / (25 * KB)) for payload in sent)
    meter.units["shard_hours"] += len(sent) / rate / 3600


def _process(meter: _Meter, stream: Stream, sent: Sequence[bytes], rate: float) -> None:
    """The stream's function, with batches as they come at that rate."""
    size = int(min(BATCH, max(1, rate * stream.window_seconds)))
    memory = _template()["Parameters"]["ProcessorMemoryMb"]["Default"]
    with function(stream.package, _environment(stream.package), answer=meter.answer, log=meter.log) as handler:
        for start in range(0, len(sent), size):
            batch = sent[start : start + size]
            event = kinesis_event(stream.name, batch)
            with meter.invocation(stream.package, len(batch), memory):
                answer = handler.invoke(event)
            assert answer == ACKNOWLEDGED, answer


def _archive(meter: _Meter, stream: Stream, sent: Sequence[bytes], rate: float) -> None:
    """ArchiveEnvelope with Firehose's buffers, half a MB or a minute, and an object a minute."""
    seconds = _template()["Parameters"]["ArchiveIntervalSeconds"]["Default"]
    mean = sum(map(len, sent)) / len(sent)
    size = int(max(1, min(rate * seconds, 0.5 * KB * KB / mean)))
    # A buffer may have more records than are sent here: then it is a part of an invocation.
    with function("archive_envelope", _environment("archive_envelope"), answer=meter.answer, log=meter.log) as handler:
        for start in range(0, len(sent), size):
            batch = sent[start : start + size]
            event = _firehose_event(stream.name, batch)
            with meter.invocation("archive_envelope", len(batch), 512, part=len(batch) / size):
                answer = handler.invoke(event)
            assert all(record["result"] == "Ok" for record in answer["records"])
            lines = b"".join(b64decode(record["data"]) for record in answer["records"])
            meter.units["object_gb"] += len(gzip.compress(lines)) / GB
    meter.units["s3_puts"] += len(sent) / (rate * seconds)


def _requests(sent: Sequence[bytes]) -> Usage:
    """A million requests to the API with one reading each, up to the stream."""
    meter, package = _Meter(), "truck_telemetry_api"
    with function(package, _environment(package), answer=meter.answer, log=meter.log) as handler:
        for number, payload in enumerate(sent):
            event: Event = {
                "httpMethod": "POST",
                "resource": "/telemetry",
                "requestContext": {"requestId": f"request-{number}", "identity": {"apiKeyId": "caller"}},
                "headers": {"Content-Type": "application/json"},
                "body": b64encode(payload).decode(),
                "isBase64Encoded": True,
            }
            with meter.invocation(package, 1, 512):
                answer = handler.invoke(event)
            assert answer["statusCode"] == HTTPStatus.ACCEPTED, answer
            meter.units.update({"api_requests": 1, "log_gb": ACCESS_LOG_BYTES / GB})
    return meter.per_million(len(sent))


def _firehose_event(stream: str, payloads: Sequence[bytes]) -> Event:
    now = int(time.time() * 1000)
    return {
        "sourceKinesisStreamArn": f"arn:aws:kinesis:us-east-1:000000000000:stream/{stream}",
        "deliveryStreamArn": "arn:aws:firehose:us-east-1:000000000000:deliverystream/archive",
        "records": [
            {
                "recordId": f"{number:055}",
                "data": b64encode(payload).decode(),
                "kinesisRecordMetadata": {
                    "sequenceNumber": f"{number:056}",
                    "partitionKey": f"key-{number}",
                    "shardId": "shardId-000000000000",
                    "approximateArrivalTimestamp": now,
                },
            }
            for number, payload in enumerate(payloads)
        ],
    }


# --- Counting --------------------------------------------------------------------------------------------------------

ENVIRONMENT = {
    **functions.ENVIRONMENT,
    "TRUCK_STREAM": names.TRUCK_STREAM,
    "CALLER_TABLE": "callers",
    "API_AUTHORIZATION": "key",
    "BIND_CALLERS": "true",
}
_containers = count()
_KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}


def _environment(package: str) -> dict[str, str]:
    """That of a container of its own: Powertools keeps a logger, and where it writes, by its service."""
    return {**ENVIRONMENT, "POWERTOOLS_SERVICE_NAME": f"{package}-{next(_containers):03}"}


class _Invocation:
    """Measures one call of a handler, and adds what Lambda bills for it."""

    def __init__(self, meter: _Meter, cpu_ms: float, memory_mb: int, at_once: int, part: float) -> None:
        self._meter, self._cpu_ms, self._memory_mb = meter, cpu_ms, memory_mb
        self._at_once, self._part = at_once, part

    def __enter__(self) -> None:
        self._calls = self._meter.calls.copy()
        self._logged = self._meter.log.tell()
        self._cpu = time.process_time()

    def __exit__(self, *_: object) -> None:
        measured = time.process_time() - self._cpu
        made = self._meter.calls - self._calls
        waited = sum(math.ceil(calls / self._at_once) * WAIT[service] for service, calls in made.items())

        def billed(cpu: float) -> float:
            seconds = cpu * max(1, MB_PER_CPU / self._memory_mb) + waited
            return math.ceil(seconds * 1000) / 1000 * self._memory_mb / KB * self._part

        logged = self._meter.log.tell() - self._logged + LAMBDA_LOG_BYTES
        self._meter.measured_gb_seconds += billed(measured)
        self._meter.units.update(
            {
                "lambda_requests": self._part,
                "gb_seconds": billed(self._cpu_ms / 1000),
                "log_gb": logged * self._part / GB,
            }
        )


class _Meter:
    """Answers every request as a service that accepts everything, and counts what it costs."""

    def __init__(self) -> None:
        self.units: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.log = io.StringIO()
        self.measured_gb_seconds = 0.0
        self._lock = threading.Lock()
        self._stored: set[tuple[str, ...]] = set()

    def invocation(
        self, package: str, records: int, memory_mb: int, *, at_once: int = CONCURRENCY, part: float = 1
    ) -> _Invocation:
        """The handler of ``package`` runs in it, for ``part`` of an invocation."""
        base, each = CPU_MS[package]
        return _Invocation(self, base + each * records, memory_mb, at_once, part)

    def per_million(self, records: int) -> Usage:
        factor = MILLION / records
        units: Counter[str] = Counter()
        for name, used in self.units.items():
            units[name] = used * factor
        return Usage(units, self.measured_gb_seconds * factor)

    def observe(self, request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse:
        return self.answer(event_name.removeprefix("before-send."), request)

    def answer(self, call: str, request: AWSPreparedRequest) -> AWSResponse:
        # The functions call from several threads, and a count that two threads raise at once would be lost.
        with self._lock:
            return self._answer(call, request)

    def _answer(self, call: str, request: AWSPreparedRequest) -> AWSResponse:
        service, operation = call.split(".")
        body = request.body.read() if hasattr(request.body, "read") else request.body or b""
        self.calls[service] += 1
        self.units.update({"calls": 1, "bytes": len(body)})
        answer: dict[str, Any] = {}
        match operation:
            case "PutObject":
                self._put_object(len(body), request.url)
                return answered(request)
            case "BatchWriteItem":
                for table, puts in json.loads(body)["RequestItems"].items():
                    for put in puts:
                        self._write(table, put["PutRequest"]["Item"])
            case "PutItem":
                self._write(json.loads(body)["TableName"], json.loads(body)["Item"])
            case "BatchExecuteStatement":
                statements = json.loads(body)["Statements"]
                for each in statements:
                    written = [*_ASSIGNED.findall(each["Statement"]), "Truck_ID"]
                    self._write(names.TRUCK_STATE_TABLE, dict(zip(written, each["Parameters"], strict=False)))
                answer = {"Responses": [{"TableName": names.TRUCK_STATE_TABLE}] * len(statements)}
            case "GetItem":
                # A row of a caller, read with eventual consistency.
                self.units["read_units"] += 0.5
                answer = {"Item": {"Caller": {"S": "caller"}, "Sends": {"SS": ["*"]}, "Reads": {"SS": ["*"]}}}
            case "PutRecords":
                records = json.loads(body)["Records"]
                accepted = {"ShardId": "shardId-000000000000", "SequenceNumber": "4965"}
                answer = {"FailedRecordCount": 0, "Records": [accepted] * len(records)}
            case _:
                raise AssertionError(f"no price is known for {call}")
        return answered(request, json.dumps(answer).encode())

    def _put_object(self, size: int, url: str) -> None:
        self.units["s3_puts"] += 1
        self.units["object_gb"] += size / GB
        if names.LANDING_PREFIX in url:
            self.units["s3_gets"] += 1  # Snowpipe's.

    def _write(self, table: str, item: dict[str, Any]) -> None:
        size = item_bytes(item)
        self.units["write_units"] += math.ceil(size / KB)
        entry = (
            item_bytes({name: item[name] for name in _indexed() if name in item}) if table == names.CLICK_TABLE else 0
        )
        self.units["write_units"] += math.ceil(entry / KB)
        key = (table, *(item[name]["S"] for name in ("Timestamp", "Item_ID", "Truck_ID") if name in item))
        if key in self._stored:
            return
        self._stored.add(key)
        # The few rows of items and trucks are replaced, so what they store does not grow with traffic.
        if "Timestamp" in item and "Item_ID" in item:
            row = size + STORED_WITH_EACH
            self.units["backup_gb"] += row / GB
            self.units["row_gb"] += (row + entry + (STORED_WITH_EACH if entry else 0)) / GB


def item_bytes(item: dict[str, Any]) -> int:
    """The size of a row as DynamoDB counts it: the names and the values, a number by its digits."""
    return sum(len(name.encode()) + _value_bytes(*next(iter(value.items()))) for name, value in item.items())


def _value_bytes(kind: str, value: Any) -> int:
    match kind:
        case "S":
            return len(value.encode())
        case "N":
            digits = value.lstrip("-").replace(".", "").strip("0")
            return math.ceil(len(digits) / 2) + 1 + value.startswith("-")
        case "NULL" | "BOOL":
            return 1
        case _:
            raise AssertionError(f"no rule is known for {kind}")


def _indexed() -> list[str]:
    (index,) = _template()["Resources"]["ClickTable"]["Properties"]["GlobalSecondaryIndexes"]
    keys = [each["AttributeName"] for each in index["KeySchema"]]
    return [*keys, "Item_ID", *index["Projection"]["NonKeyAttributes"]]


_TEMPLATE: dict[str, Any] = {}


def _template() -> dict[str, Any]:
    if not _TEMPLATE:
        _TEMPLATE.update(load(TEMPLATE))
    return _TEMPLATE
