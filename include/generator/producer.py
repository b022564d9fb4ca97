"""Sends records to Kinesis with PutRecords: full batches, and only what failed again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, NotRequired, Protocol, TypedDict, TypeVar

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NotConnectedError

from include.batches import batched
from include.retry import backoff

if TYPE_CHECKING:
    from botocore.config import Config

# PutRecords' limits: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
MAX_BATCH_RECORDS = 500
MAX_BATCH_BYTES = 5 * 1024 * 1024

MAX_ATTEMPTS = 8
FIRST_BACKOFF = 0.2  # s
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
    """A record to send."""

    @property
    def data(self) -> bytes: ...

    @property
    def partition_key(self) -> str: ...


S = TypeVar("S", bound=Sendable)


class AcceptedRecord(NamedTuple, Generic[S]):
    """A record that Kinesis accepted, and its place in the stream."""

    record: S
    shard_id: str
    sequence_number: str


class ProducerError(Exception):
    """Records could not be sent; the message names their number, the attempts, and Kinesis' reasons.

    Records that were accepted earlier have been reported to ``on_accepted``.
    """

    def __init__(self, stream: str, failed: int, accepted: int, attempts: int, reasons: str) -> None:
        super().__init__(
            f"{failed:,} records were not accepted by stream {stream} after {attempts} attempts ({reasons}); "
            f"{accepted:,} records of the same call were"
        )
        self.failed = failed
        self.accepted = accepted


class _Entry(TypedDict):
    Data: bytes
    PartitionKey: str


class _EntryAnswer(TypedDict):
    """An entry's place in the stream; if it was refused, only the error."""

    ShardId: str
    SequenceNumber: str
    ErrorCode: NotRequired[str | None]


class _PutRecordsAnswer(TypedDict):
    Records: list[_EntryAnswer]


class ProducerClient(Protocol):
    """The call to Kinesis."""

    def put_records(self, *, StreamName: str, Records: list[_Entry]) -> _PutRecordsAnswer: ...


def kinesis_client() -> Any:
    """A client from the standard AWS_* environment, with timeouts.  boto3 has no types: see ``ProducerClient``."""
    import boto3

    return boto3.client("kinesis", config=client_config())


def client_config() -> Config:
    """Timeouts of a client that sends records, without botocore's own retries.

    They would silently repeat a batch whose answer was lost.
    """
    from botocore.config import Config

    return Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 1})


class Producer:
    """Sends batches through ``client``.

    Attributes:
        resent: records sent again because Kinesis had refused them.
        unanswered: calls repeated although their answer was lost, whose records may be in the stream twice.
    """

    def __init__(
        self,
        client: ProducerClient,
        *,
        sleep: Callable[[float], None] = time.sleep,
        max_attempts: int = MAX_ATTEMPTS,
    ) -> None:
        self.resent = 0
        self.unanswered = 0
        self._client = client
        self._sleep = sleep
        self._max_attempts = max_attempts

    def send(
        self,
        stream: str,
        records: Sequence[S],
        on_accepted: Callable[[list[AcceptedRecord[S]]], None],
        before_call: Callable[[list[S]], None] = lambda _records: None,
    ) -> None:
        """Send all of ``records``; after every call, pass those that Kinesis accepted to ``on_accepted``.

        ``before_call`` gets the records of each call before it is made.

        The order within a partition key is kept, except for records that have to be sent again.

        Raises:
            ProducerError: some were not accepted in ``max_attempts`` calls.
            botocore.exceptions.ClientError: an error that a retry can't fix (no such stream, access denied).
        """
        done = 0
        for batch in batched(records, _bytes, max_records=MAX_BATCH_RECORDS, max_bytes=MAX_BATCH_BYTES):
            waiting = batch
            for attempt in range(1, self._max_attempts + 1):
                if attempt > 1:
                    self._sleep(backoff(attempt - 1, first=FIRST_BACKOFF, longest=LONGEST_BACKOFF))
                before_call(waiting)
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

    def _put(self, stream: str, records: list[S]) -> tuple[list[AcceptedRecord[S]], list[S], str]:
        """One call: (accepted, to be sent again, why)."""
        entries: list[_Entry] = [{"Data": record.data, "PartitionKey": record.partition_key} for record in records]
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
        except HTTPClientError as error:  # The request was sent, but timed out or lost its connection.
            self.unanswered += 1
            return [], records, str(error)
        accepted: list[AcceptedRecord[S]] = []
        refused: list[S] = []
        reasons: Counter[str] = Counter()
        for record, result in zip(records, answer["Records"], strict=True):
            if error_code := result.get("ErrorCode"):
                refused.append(record)
                reasons[error_code] += 1
            else:
                accepted.append(AcceptedRecord(record, result["ShardId"], result["SequenceNumber"]))
        return accepted, refused, ", ".join(f"{code} × {count}" for code, count in reasons.items())


def _bytes(record: Sendable) -> int:
    return len(record.data) + len(record.partition_key.encode())
