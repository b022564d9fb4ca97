"""Sends records to Kinesis with PutRecords: full batches, and only what failed again."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NotConnectedError

from include.batches import batched

# PutRecords' limits: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
MAX_BATCH_RECORDS = 500
MAX_BATCH_BYTES = 5 * 1024 * 1024

# botocore's own retries are off: it would send again, in silence, a batch whose answer was lost.
CLIENT_CONFIG = Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 1})

MAX_ATTEMPTS = 8
FIRST_BACKOFF = 0.1  # s
LONGEST_BACKOFF = 5.0  # s

_TRANSIENT = frozenset(
    {
        "InternalFailure",
        "InternalServerError",
        "KMSThrottlingException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
    }
)


class Sendable(Protocol):
    data: bytes
    partition_key: str


class AcceptedRecord(NamedTuple):
    """A record that Kinesis has, and where."""

    record: Any
    shard_id: str
    sequence_number: str


class ProducerError(Exception):
    """Records could not be sent; the message says how many, how often it was tried, and Kinesis' reasons.

    What was accepted before has been reported to ``on_accepted``.
    """

    def __init__(self, stream: str, failed: int, accepted: int, attempts: int, reasons: str) -> None:
        super().__init__(
            f"{failed:,} records were not accepted by stream {stream} after {attempts} attempts ({reasons}); "
            f"{accepted:,} records of the same call were"
        )
        self.failed = failed
        self.accepted = accepted


def kinesis_client() -> Any:
    """A client from the standard AWS_* environment, with time limits."""
    return boto3.client("kinesis", config=CLIENT_CONFIG)


class Producer:
    """Sends batches through ``client``.

    Attributes:
        resent: records sent again because Kinesis had refused them.
        unanswered: calls repeated although their answer was lost, whose records may be in the stream twice.
    """

    def __init__(
        self,
        client: Any,
        *,
        sleep: Callable[[float], None] = time.sleep,
        rng: random.Random | None = None,
        max_attempts: int = MAX_ATTEMPTS,
    ) -> None:
        self.resent = 0
        self.unanswered = 0
        self._client = client
        self._sleep = sleep
        self._rng = rng or random.Random()
        self._max_attempts = max_attempts

    def send(
        self, stream: str, records: Sequence[Sendable], on_accepted: Callable[[list[AcceptedRecord]], None]
    ) -> None:
        """Send all of ``records``; ``on_accepted`` is told after every call what Kinesis has taken.

        The order within a partition key is kept but for records that had to be sent again.

        Raises:
            ProducerError: some were not accepted in ``max_attempts`` calls.
            botocore.exceptions.ClientError: an error that repeating can't mend (no such stream, access denied).
        """
        done = 0
        for batch in batched(records, _bytes, max_records=MAX_BATCH_RECORDS, max_bytes=MAX_BATCH_BYTES):
            waiting: list[Sendable] = batch
            for attempt in range(1, self._max_attempts + 1):
                if attempt > 1:
                    self._back_off(attempt)
                accepted, waiting, reasons = self._put(stream, waiting)
                done += len(accepted)
                if accepted:
                    on_accepted(accepted)
                if not waiting:
                    break
                self.resent += len(waiting) if attempt < self._max_attempts else 0
            else:
                failed = len(records) - done
                raise ProducerError(stream, failed, done, self._max_attempts, reasons)

    def _put(self, stream: str, records: list[Sendable]) -> tuple[list[AcceptedRecord], list[Sendable], str]:
        """One call: (accepted, to be sent again, why)."""
        entries = [{"Data": record.data, "PartitionKey": record.partition_key} for record in records]
        try:
            answer = self._client.put_records(StreamName=stream, Records=entries)
        except ClientError as error:
            details = error.response
            status = details.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if details["Error"]["Code"] not in _TRANSIENT and status < 500:
                raise
            self.unanswered += status >= 500
            return [], records, str(error)
        except NotConnectedError as error:
            return [], records, str(error)
        except HTTPClientError as error:  # Time ran out or the connection broke after it was sent.
            self.unanswered += 1
            return [], records, str(error)
        accepted: list[AcceptedRecord] = []
        refused: list[Sendable] = []
        reasons: Counter[str] = Counter()
        for record, result in zip(records, answer["Records"], strict=True):
            if result.get("ErrorCode"):
                refused.append(record)
                reasons[result["ErrorCode"]] += 1
            else:
                accepted.append(AcceptedRecord(record, result["ShardId"], result["SequenceNumber"]))
        return accepted, refused, ", ".join(f"{code} × {count}" for code, count in reasons.items())

    def _back_off(self, attempt: int) -> None:
        """Exponential, with full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/"""
        self._sleep(self._rng.uniform(0, min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** (attempt - 1))))


def _bytes(record: Sendable) -> int:
    return len(record.data) + len(record.partition_key.encode())
