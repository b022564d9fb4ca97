"""The stores of the API: the stream that it writes to, and the trucks' states and the callers that it reads."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NotRequired, Protocol, TypedDict

from lambdas.common.aws import store_errors
from lambdas.common.deadline import Deadline, send_all
from lambdas.common.dynamodb import DynamoItem
from lambdas.truck_telemetry_api.callers import Access, CallerRow, registered_access
from lambdas.truck_telemetry_api.logic import ReadingOutcome, ValidReading

# A caller's row is read again after this time, so a change of it takes that long.
REMEMBERED_SECONDS = 60.0
# Bounds the memory for the callers that a container knows.
MAX_KNOWN_CALLERS = 10_000


class _ReadingEntry(TypedDict):
    Data: bytes
    PartitionKey: str


class _Accepted(TypedDict):
    """Where an entry is in the stream; if it was refused, only the error."""

    ShardId: str
    SequenceNumber: str
    ErrorCode: NotRequired[str | None]


class _ReadingsAnswer(TypedDict):
    Records: list[_Accepted]


class _GetItemAnswer(TypedDict):
    Item: NotRequired[DynamoItem]


class _ScanAnswer(TypedDict):
    Items: list[DynamoItem]
    LastEvaluatedKey: NotRequired[DynamoItem]


class _Keys(TypedDict):
    Keys: list[DynamoItem]


class _BatchGetAnswer(TypedDict):
    Responses: dict[str, list[DynamoItem]]
    UnprocessedKeys: NotRequired[dict[str, _Keys]]


class _CallerAnswer(TypedDict):
    Item: NotRequired[CallerRow]


class TelemetryStreamClient(Protocol):
    """The call to Kinesis."""

    def put_records(self, *, StreamName: str, Records: list[_ReadingEntry]) -> _ReadingsAnswer: ...


class TruckStatesClient(Protocol):
    """The calls to DynamoDB for states."""

    def batch_get_item(self, *, RequestItems: dict[str, _Keys]) -> _BatchGetAnswer: ...

    def get_item(self, *, TableName: str, Key: DynamoItem) -> _GetItemAnswer: ...

    def scan(self, *, TableName: str, Limit: int, ExclusiveStartKey: DynamoItem = ...) -> _ScanAnswer: ...


class CallersClient(Protocol):
    """The call to DynamoDB for callers."""

    def get_item(self, *, TableName: str, Key: DynamoItem) -> _CallerAnswer: ...


class TelemetryStream:
    """TruckTelemetry.  The truck is the partition key, so a truck's readings stay in one shard."""

    def __init__(self, client: TelemetryStreamClient, name: str) -> None:
        self._client = client
        self._name = name

    def put(self, readings: Sequence[ValidReading], accepted: list[ReadingOutcome], deadline: Deadline) -> None:
        """Send at most 500 readings to the stream, retrying only those that it refuses; append to ``accepted``.

        A call whose answer was lost is repeated as a whole.  So a reading can be in the stream twice, as with any
        producer.

        Raises:
            StoreError: the readings that are not in ``accepted`` are not, or perhaps not, in the stream.
        """

        def send(pending: Sequence[ValidReading]) -> list[ValidReading]:
            with store_errors(f"PutRecords to {self._name}"):
                answer = self._client.put_records(
                    StreamName=self._name,
                    Records=[{"Data": reading.data, "PartitionKey": reading.truck_id} for reading in pending],
                )
            refused = []
            for reading, record in zip(pending, answer["Records"], strict=True):
                if record.get("ErrorCode"):
                    refused.append(reading)
                else:
                    place = record["ShardId"], record["SequenceNumber"]
                    accepted.append(ReadingOutcome(reading.index, "accepted", *place, nulled=reading.nulled))
            return refused

        send_all(send, readings, deadline)


class TruckStates:
    """TruckLatestState, read-only."""

    def __init__(self, client: TruckStatesClient, table: str) -> None:
        self._client = client
        self._table = table

    def get(self, truck_id: str) -> DynamoItem | None:
        """The row of one truck, or None.

        Raises:
            StoreError: the table did not answer.
        """
        with store_errors(f"GetItem from {self._table}"):
            answer = self._client.get_item(TableName=self._table, Key={"Truck_ID": {"S": truck_id}})
        return answer.get("Item")

    def page(self, size: int, after: str | None) -> tuple[list[DynamoItem], str | None]:
        """(At most ``size`` rows after truck ``after``, in the table's own order; the last truck if there are more).

        Raises:
            StoreError: the table did not answer.
        """
        with store_errors(f"Scan of {self._table}"):
            if after is None:
                answer = self._client.scan(TableName=self._table, Limit=size)
            else:
                start: DynamoItem = {"Truck_ID": {"S": after}}
                answer = self._client.scan(TableName=self._table, Limit=size, ExclusiveStartKey=start)
        last = answer.get("LastEvaluatedKey")
        return answer["Items"], last["Truck_ID"]["S"] if last else None

    def of(self, truck_ids: Sequence[str], deadline: Deadline) -> list[DynamoItem]:
        """The rows that exist of at most 100 trucks, in the order of ``truck_ids``.

        Raises:
            StoreError: the table did not answer for all of them.
        """
        found: dict[str, DynamoItem] = {}

        def ask(pending: Sequence[str]) -> list[str]:
            keys: list[DynamoItem] = [{"Truck_ID": {"S": truck_id}} for truck_id in pending]
            with store_errors(f"BatchGetItem from {self._table}"):
                answer = self._client.batch_get_item(RequestItems={self._table: {"Keys": keys}})
            found.update((item["Truck_ID"]["S"], item) for item in answer["Responses"].get(self._table, []))
            left = (answer.get("UnprocessedKeys") or {}).get(self._table)
            return [key["Truck_ID"]["S"] for key in left["Keys"]] if left else []

        if truck_ids:
            send_all(ask, truck_ids, deadline)
        return [found[truck_id] for truck_id in truck_ids if truck_id in found]


class Callers:
    """The table of callers, read-only.  Create it once per container: it remembers rows for a minute."""

    def __init__(self, client: CallersClient, table: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._table = table
        self._clock = clock
        # Caller -> (its access, when to read it again).
        self._known: dict[str, tuple[Access, float]] = {}

    def access(self, caller: str) -> Access:
        """The trucks that ``caller`` may send and read; none if it has no row, which is looked for each time.

        Raises:
            StoreError: the table did not answer.
        """
        known = self._known.get(caller)
        if known is not None and self._clock() < known[1]:
            return known[0]
        with store_errors(f"GetItem from {self._table}"):
            row = self._client.get_item(TableName=self._table, Key={"Caller": {"S": caller}}).get("Item")
        access = registered_access(row)
        self._known.pop(caller, None)
        if row is not None:
            if len(self._known) >= MAX_KNOWN_CALLERS:
                self._known.clear()
            self._known[caller] = access, self._clock() + REMEMBERED_SECONDS
        return access
