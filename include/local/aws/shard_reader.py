"""Reads one Kinesis shard from a position to its end, through Kinesis' public API.

The stand-ins that consume streams share it.  Each reader belongs to one thread.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from botocore.exceptions import ClientError

# GetRecords returns at most 10,000 records or 10 MB.
READ_LIMIT = 10_000
# Kinesis drops an iterator after five minutes.
ITERATOR_LIFETIME = 240.0
# How far before the last record a reader starts again once records expire (see ShardReader._iterator_request).
OVERLAP = timedelta(seconds=1)


class ShardGoneError(RuntimeError):
    """The shard, or its whole stream, does not exist, or no longer does."""


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """One record as GetRecords returns it."""

    sequence_number: str
    partition_key: str
    data: bytes
    arrival: datetime  # ApproximateArrivalTimestamp, aware


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard of a stream and the shards it was split or merged from."""

    shard_id: str
    parents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KinesisStream:
    """A stream.  Its time of creation distinguishes it from a later one of the same name."""

    arn: str
    created: float  # seconds since the epoch
    retention: float  # of its records, in seconds


class Position(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where reading a shard starts: after a record, at a time, or (neither set) at the oldest record kept."""

    after_sequence_number: str | None = None
    at_timestamp: float | None = None  # seconds since the epoch

    def iterator_request(self) -> dict[str, Any]:
        """Return the arguments of GetShardIterator for this position."""
        if self.after_sequence_number is not None:
            return {
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                "StartingSequenceNumber": self.after_sequence_number,
            }
        if self.at_timestamp is not None:
            # boto3 rounds to whole seconds, and a time rounded up would skip records.  `includes` drops the early ones.
            second = datetime.fromtimestamp(math.floor(self.at_timestamp), UTC)
            return {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": second}
        return {"ShardIteratorType": "TRIM_HORIZON"}

    def includes(self, sequence_number: str, arrival: datetime) -> bool:
        """Whether a record is at or after this position.  Kinesis reports arrivals in milliseconds."""
        if self.after_sequence_number is not None:
            return int(sequence_number) > int(self.after_sequence_number)
        return self.at_timestamp is None or arrival.timestamp() >= math.floor(self.at_timestamp * 1000) / 1000


def describe_stream(kinesis: Any, stream_arn: str) -> KinesisStream:
    """Describe the stream ``stream_arn``.

    Raises:
        ShardGoneError: there is no such stream.
    """
    try:
        summary = kinesis.describe_stream_summary(StreamARN=stream_arn)["StreamDescriptionSummary"]
    except kinesis.exceptions.ResourceNotFoundException as error:
        raise ShardGoneError(f"no stream {stream_arn}") from error
    return KinesisStream(
        stream_arn, summary["StreamCreationTimestamp"].timestamp(), summary["RetentionPeriodHours"] * 3600.0
    )


def list_shards(kinesis: Any, stream_arn: str) -> list[Shard]:
    """List all shards of the stream, open and closed.

    Raises:
        ShardGoneError: there is no such stream.
    """
    shards: list[Shard] = []
    request: dict[str, Any] = {"StreamARN": stream_arn}
    while True:
        try:
            page = kinesis.list_shards(**request)
        except kinesis.exceptions.ResourceNotFoundException as error:
            raise ShardGoneError(f"no stream {stream_arn}") from error
        for shard in page["Shards"]:
            parents = (shard.get("ParentShardId"), shard.get("AdjacentParentShardId"))
            shards.append(Shard(shard["ShardId"], tuple(parent for parent in parents if parent)))
        if "NextToken" not in page:
            return shards
        request = {"NextToken": page["NextToken"]}


class ShardReader:
    """Reads forward from a position.  During its life it returns every record once, in order.

    Attributes:
        finished: whether the shard is closed and was read to its end.
        millis_behind: distance of the last read from the shard's tip, in milliseconds; None before the first read and
            where the last one failed.
        read_at: when the last read began, in seconds since the epoch.
    """

    def __init__(
        self,
        kinesis: Any,
        stream: KinesisStream,
        shard_id: str,
        position: Position,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.finished = False
        self.millis_behind: int | None = None
        self.read_at = 0.0
        self._kinesis = kinesis
        self._stream = stream
        self._shard_id = shard_id
        self._position = position
        self._clock = clock
        self._last_arrival: datetime | None = None
        self._iterator: str | None = None
        self._iterator_expires = 0.0

    @property
    def tip_read_at(self) -> float | None:
        """When the last read began, in seconds since the epoch, if it reached the shard's tip; else None."""
        return self.read_at if self.millis_behind == 0 else None

    def read(self) -> list[StreamRecord]:
        """Read the next records, at most 10,000 or 10 MB; none at the tip.

        Raises:
            ShardGoneError: the shard no longer exists.
            ClientError, BotoCoreError: Kinesis refused or could not be reached; the next call continues where this
                one began.
        """
        self.read_at, self.millis_behind = self._clock(), None
        if self._iterator is None or self.read_at >= self._iterator_expires:
            self._iterator = self._new_iterator()
        iterator, self._iterator = self._iterator, None
        try:
            answer = self._kinesis.get_records(StreamARN=self._stream.arn, ShardIterator=iterator, Limit=READ_LIMIT)
        except self._kinesis.exceptions.ResourceNotFoundException as error:
            raise ShardGoneError(f"no shard {self._shard_id} in {self._stream.arn}") from error
        except self._kinesis.exceptions.ExpiredIteratorException:
            return []
        records = self._after_position(answer["Records"])
        if records:
            self._position = Position(after_sequence_number=records[-1].sequence_number)
            self._last_arrival = records[-1].arrival
        self.millis_behind = answer.get("MillisBehindLatest", 0)
        self.finished = answer.get("NextShardIterator") is None
        if not self._records_expire():
            self._iterator = answer.get("NextShardIterator")
            self._iterator_expires = self.read_at + ITERATOR_LIFETIME
        return records

    def _after_position(self, answered: list[dict[str, Any]]) -> list[StreamRecord]:
        return [
            StreamRecord(r["SequenceNumber"], r["PartitionKey"], r["Data"], r["ApproximateArrivalTimestamp"])
            for r in answered
            if self._position.includes(r["SequenceNumber"], r["ApproximateArrivalTimestamp"])
        ]

    def _new_iterator(self) -> str:
        try:
            answer = self._kinesis.get_shard_iterator(
                StreamARN=self._stream.arn, ShardId=self._shard_id, **self._iterator_request()
            )
        except self._kinesis.exceptions.ResourceNotFoundException as error:
            raise ShardGoneError(f"no shard {self._shard_id} in {self._stream.arn}") from error
        except ClientError as error:
            # The shard does not know the position, or no longer does: it may be before the oldest record.
            if (
                error.response["Error"]["Code"] != "InvalidArgumentException"
                or not self._position.after_sequence_number
            ):
                raise
            answer = self._kinesis.get_shard_iterator(
                StreamARN=self._stream.arn, ShardId=self._shard_id, ShardIteratorType="TRIM_HORIZON"
            )
        self._iterator_expires = self._clock() + ITERATOR_LIFETIME
        return str(answer["ShardIterator"])

    def _iterator_request(self) -> dict[str, Any]:
        if self._records_expire() and self._last_arrival:
            # MiniStack's iterators count records from the shard's oldest one, so each record that expires makes them
            # skip one.  Where records expire, each read starts a little before the last record and drops known records.
            return {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": self._last_arrival - OVERLAP}
        return self._position.iterator_request()

    def _records_expire(self) -> bool:
        return self._clock() - self._stream.created >= self._stream.retention
