"""The two stores of the API: the stream that it writes to, and the trucks' states that it reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NotRequired, Protocol, TypedDict

from lambdas.common.aws import store_errors
from lambdas.common.deadline import Deadline, send_all
from lambdas.common.dynamodb import DynamoItem
from lambdas.truck_telemetry_api.logic import ReadingOutcome, ValidReading


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


class TelemetryStreamClient(Protocol):
    """The call to Kinesis."""

    def put_records(self, *, StreamName: str, Records: list[_ReadingEntry]) -> _ReadingsAnswer: ...


class TruckStatesClient(Protocol):
    """The calls to DynamoDB."""

    def get_item(self, *, TableName: str, Key: DynamoItem) -> _GetItemAnswer: ...

    def scan(self, *, TableName: str, Limit: int, ExclusiveStartKey: DynamoItem = ...) -> _ScanAnswer: ...


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
