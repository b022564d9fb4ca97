"""The newest state of each truck in DynamoDB: an older reading never replaces a newer one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from botocore.exceptions import ClientError

from include.contracts import METRICS
from lambdas.common.aws import chunks, in_parallel, store_errors
from lambdas.common.deadline import Deadline, StoreError, send_all
from lambdas.common.dynamodb import DynamoItem

# A quota of BatchExecuteStatement.
BATCH_STATEMENTS = 25

# Why one statement of a batch was refused, where repeating it can help.
_REFUSED_FOR_NOW = {
    "InternalServerError",
    "ProvisionedThroughputExceeded",
    "RequestLimitExceeded",
    "ThrottlingError",
    "TransactionConflict",
}


class TruckStateStore:
    """TruckLatestState, where each write is conditional on ``Recency``.

    BatchWriteItem knows no conditions and one UpdateItem a truck is slow, so trucks that have a row are updated by
    PartiQL statements, 25 a call.  PartiQL's UPDATE makes no row: a truck's first one is a conditional PutItem.
    """

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def write(self, states: Sequence[DynamoItem], deadline: Deadline) -> int:
        """Brings the row of each truck up to its state, one a truck, unless a newer one stands there.

        Returns how many were left because a newer one stands (or the same one, of an earlier attempt).

        Raises:
            StoreError: not everything is written; what is, may be written again.
        """
        older: list[DynamoItem] = []
        new: list[DynamoItem] = []
        in_parallel(
            lambda chunk: send_all(lambda states: self._update(states, older, new), chunk, deadline),
            chunks(states, BATCH_STATEMENTS),
            deadline,
        )
        created = in_parallel(self._create, new, deadline)
        return len(older) + created.count(False)

    def _update(self, states: Sequence[DynamoItem], older: list[DynamoItem], new: list[DynamoItem]) -> list[DynamoItem]:
        """One call.  Sorts what it did not write into ``older`` and ``new`` and returns what was refused for now."""
        with store_errors("BatchExecuteStatement"):
            response = self._client.batch_execute_statement(Statements=[self._statement(state) for state in states])
        refused = []
        for state, answer in zip(states, response["Responses"], strict=True):
            error = answer.get("Error")
            if error is None:
                continue
            if error["Code"] == "ConditionalCheckFailed":
                # ALL_OLD: the row that stands comes with the refusal; none means that there is none.
                (older if error.get("Item") else new).append(state)
            elif error["Code"] in _REFUSED_FOR_NOW:
                refused.append(state)
            else:
                raise StoreError(f"UPDATE {self._table}: {error['Code']}: {error.get('Message')}")
        return refused

    def _statement(self, state: DynamoItem) -> dict[str, Any]:
        assigned = tuple(name for name in state if name != "Truck_ID")
        return {
            "Statement": update_statement(self._table, assigned),
            "Parameters": [*(state[name] for name in assigned), state["Truck_ID"], state["Recency"]],
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def _create(self, state: DynamoItem) -> bool:
        """Whether the row was written; not if an invocation beside this one has just written a newer one."""
        try:
            with store_errors("PutItem"):
                self._client.put_item(
                    TableName=self._table,
                    Item=state,
                    ConditionExpression="attribute_not_exists(Truck_ID) OR Recency < :recency",
                    ExpressionAttributeValues={":recency": state["Recency"]},
                )
        except StoreError as error:
            if _is_condition_failure(error.__cause__):
                return False
            raise
        return True


@cache
def update_statement(table: str, assigned: tuple[str, ...]) -> str:
    """The PartiQL statement that makes a row's metrics and envelope exactly ``assigned`` if the row is older.

    Parameters, in order: the assigned values, the truck, its recency.
    """
    clauses = [f'SET "{name}" = ?' for name in assigned]
    clauses += [f'REMOVE "{metric.name}"' for metric in METRICS if metric.name not in assigned]
    return f'UPDATE "{table}" {" ".join(clauses)} WHERE "Truck_ID" = ? AND "Recency" < ?'


def _is_condition_failure(error: BaseException | None) -> bool:
    return isinstance(error, ClientError) and error.response["Error"]["Code"] == "ConditionalCheckFailedException"
