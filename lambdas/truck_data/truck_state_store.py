"""The newest state of each truck in DynamoDB: an older reading never replaces a newer one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Literal, NotRequired, Protocol, TypedDict

from botocore.exceptions import ClientError

from include.contracts import METRICS
from lambdas.common.aws import chunks, in_parallel, store_errors
from lambdas.common.deadline import Deadline, StoreError, send_all
from lambdas.common.dynamodb import DynamoItem

# Attributes that not every state has.
OPTIONAL_ATTRIBUTES = (*(metric.name for metric in METRICS), "Sub_Sequence_Number")
# The limit of BatchExecuteStatement.
BATCH_STATEMENTS = 25

# Errors of single statements in a batch that are worth a retry.
_REFUSED_FOR_NOW = {
    "InternalServerError",
    "ProvisionedThroughputExceeded",
    "RequestLimitExceeded",
    "ThrottlingError",
    "TransactionConflict",
}


class _UpdateStatement(TypedDict):
    """One statement of BatchExecuteStatement."""

    Statement: str
    Parameters: list[dict[str, str]]
    ReturnValuesOnConditionCheckFailure: Literal["ALL_OLD"]


class _StatementError(TypedDict):
    """Why a statement failed.  ``Item`` is the row that did not meet the condition."""

    Code: str
    Message: NotRequired[str]
    Item: NotRequired[DynamoItem]


class _StatementAnswer(TypedDict):
    """The answer to one statement."""

    Error: NotRequired[_StatementError]


class _BatchStatementAnswer(TypedDict):
    """The part of BatchExecuteStatement's answer that is used here."""

    Responses: list[_StatementAnswer]


class TruckTableClient(Protocol):
    """The calls to DynamoDB."""

    def batch_execute_statement(self, *, Statements: list[_UpdateStatement]) -> _BatchStatementAnswer: ...

    def put_item(
        self, *, TableName: str, Item: DynamoItem, ConditionExpression: str, ExpressionAttributeValues: DynamoItem
    ) -> object: ...


class TruckStateStore:
    """TruckLatestState; every write is conditional on ``Recency``.

    BatchWriteItem has no conditions, and one UpdateItem per truck is slow.  So rows that exist are updated by PartiQL
    statements, 25 per call.  PartiQL's UPDATE creates no row: a truck's first row is a conditional PutItem.
    """

    def __init__(self, client: TruckTableClient, table: str) -> None:
        self._client = client
        self._table = table

    def write(self, states: Sequence[DynamoItem], deadline: Deadline) -> int:
        """Write each truck's state, at most one per truck, unless its row is newer.

        Returns the number of rows that were left alone because they are newer, or the same from an earlier attempt.

        Raises:
            StoreError: not everything was written.  All of it can be written again.
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
        """Make one call.  Append states that it did not write to ``older`` or ``new``; return those refused for now."""
        with store_errors("BatchExecuteStatement"):
            response = self._client.batch_execute_statement(Statements=[self._statement(state) for state in states])
        refused = []
        for state, answer in zip(states, response["Responses"], strict=True):
            error = answer.get("Error")
            if error is None:
                continue
            if error["Code"] == "ConditionalCheckFailed":
                # Thanks to ALL_OLD, the error holds the existing row.  If it holds none, the truck has no row.
                (older if error.get("Item") else new).append(state)
            elif error["Code"] in _REFUSED_FOR_NOW:
                refused.append(state)
            else:
                raise StoreError(f"UPDATE {self._table}: {error['Code']}: {error.get('Message')}")
        return refused

    def _statement(self, state: DynamoItem) -> _UpdateStatement:
        assigned = tuple(name for name in state if name != "Truck_ID")
        return {
            "Statement": update_statement(self._table, assigned),
            "Parameters": [*(state[name] for name in assigned), state["Truck_ID"], state["Recency"]],
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def _create(self, state: DynamoItem) -> bool:
        """Write a truck's first row; False if a parallel invocation has just written a newer one."""
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
    """The PartiQL statement that sets the ``assigned`` attributes of an older row and removes what else it may have.

    Its parameters, in order: the assigned values, the truck, its recency.
    """
    clauses = [f'SET "{name}" = ?' for name in assigned]
    clauses += [f'REMOVE "{name}"' for name in OPTIONAL_ATTRIBUTES if name not in assigned]
    return f'UPDATE "{table}" {" ".join(clauses)} WHERE "Truck_ID" = ? AND "Recency" < ?'


def _is_condition_failure(error: BaseException | None) -> bool:
    return isinstance(error, ClientError) and error.response["Error"]["Code"] == "ConditionalCheckFailedException"
