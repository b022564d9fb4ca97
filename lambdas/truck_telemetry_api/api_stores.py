"""The API's two stores: the stream that it writes, and the trucks' states that it reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lambdas.common.aws import store_errors
from lambdas.common.deadline import Deadline, send_all
from lambdas.common.dynamodb import DynamoItem
from lambdas.truck_telemetry_api.logic import ReadingOutcome, ValidReading


class TelemetryStream:
    """TruckTelemetry, with the truck as partition key: a truck's readings stay in one shard."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def put(self, readings: Sequence[ValidReading], accepted: list[ReadingOutcome], deadline: Deadline) -> None:
        """Puts at most 500 readings into the stream, repeating only what it refuses; fills ``accepted`` on the way.

        A call whose answer was lost is repeated whole, so a reading can be in the stream twice, as with any producer.

        Raises:
            StoreError: what is not in ``accepted`` was not taken, or may not have been.
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
                    place = {"shard_id": record["ShardId"], "sequence_number": record["SequenceNumber"]}
                    accepted.append(ReadingOutcome(reading.index, "accepted", **place))
            return refused

        send_all(send, readings, deadline)


class TruckStates:
    """TruckLatestState, read only."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def get(self, truck_id: str) -> DynamoItem | None:
        """The row of one truck, or None.

        Raises:
            StoreError: the table could not be asked.
        """
        with store_errors(f"GetItem from {self._table}"):
            answer = self._client.get_item(TableName=self._table, Key={"Truck_ID": {"S": truck_id}})
        return answer.get("Item")

    def page(self, size: int, after: str | None) -> tuple[list[DynamoItem], str | None]:
        """(At most ``size`` rows behind truck ``after``, in the table's own order; the last truck if there is more).

        Raises:
            StoreError: the table could not be asked.
        """
        start = {} if after is None else {"ExclusiveStartKey": {"Truck_ID": {"S": after}}}
        with store_errors(f"Scan of {self._table}"):
            answer = self._client.scan(TableName=self._table, Limit=size, **start)
        last = answer.get("LastEvaluatedKey")
        return answer["Items"], last["Truck_ID"]["S"] if last else None
