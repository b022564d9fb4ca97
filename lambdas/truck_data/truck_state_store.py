"""The newest state of each truck in DynamoDB: an older reading never replaces a newer one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Literal, NamedTuple, NotRequired, Protocol, TypedDict

from botocore.exceptions import ClientError

from include.contracts import METRICS, Envelope
from lambdas.common.aws import send_apart_from_refused, send_in_calls, store_errors
from lambdas.common.deadline import Deadline, StoreError
from lambdas.common.dynamodb import DynamoItem
from lambdas.common.processing import Written

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


class _State(NamedTuple):
    """A row, and the record that it is of."""

    item: DynamoItem
    envelope: Envelope


class _Answers(NamedTuple):
    """The states that a write left: those with a newer row, without a row, and refused for their content."""

    older: list[_State]
    new: list[_State]
    refused: list[tuple[_State, str]]


class TruckStateStore:
    """TruckLatestState; every write is conditional on ``Recency``.

    BatchWriteItem has no conditions, and one UpdateItem per truck is slow.  So rows that exist are updated by PartiQL
    statements, 25 per call.  PartiQL's UPDATE creates no row: a truck's first row is a conditional PutItem.
    """

    def __init__(self, client: TruckTableClient, table: str) -> None:
        self._client = client
        self._table = table

    def write(self, states: Sequence[tuple[DynamoItem, Envelope]], deadline: Deadline) -> Written:
        """Write each truck's state, at most one per truck, unless its row is newer or the same from an earlier attempt.

        Everything can be written again.
        """
        answers = _Answers([], [], [])
        undone, error = send_in_calls(
            lambda call: send_apart_from_refused(lambda part: self._update(part, answers), call, answers.refused),
            (_State(*each) for each in states),
            BATCH_STATEMENTS,
            deadline,
        )
        not_created, create_error = send_in_calls(
            lambda call: send_apart_from_refused(lambda part: self._create(part, answers), call, answers.refused),
            answers.new,
            1,
            deadline,
        )
        undone += not_created
        error = error or create_error
        written = Written(
            [state.envelope for state in undone], error=str(error) if error else None, older=len(answers.older)
        )
        if len(undone) + len(answers.refused) < len(states):
            written.refused = [(state.envelope, words) for state, words in answers.refused]
        else:
            # A table that refuses every state has failed.
            for state, words in answers.refused:
                written.undone.append(state.envelope)
                written.error = written.error or words
        return written

    def _update(self, states: Sequence[_State], answers: _Answers) -> list[_State]:
        """Make one call; return the states that are to be repeated."""
        statements = [self._statement(state.item) for state in states]
        with store_errors("BatchExecuteStatement"):
            response = self._client.batch_execute_statement(Statements=statements)
        again = []
        for state, answer in zip(states, response["Responses"], strict=True):
            failed = answer.get("Error")
            if failed is None:
                continue
            if failed["Code"] == "ConditionalCheckFailed":
                # Thanks to ALL_OLD, the error holds the existing row.  If it holds none, the truck has no row.
                (answers.older if failed.get("Item") else answers.new).append(state)
            elif failed["Code"] in _REFUSED_FOR_NOW:
                again.append(state)
            elif failed["Code"] == "ValidationError":
                answers.refused.append((state, f"ValidationError: {failed.get('Message')}"))
            else:
                raise StoreError(f"UPDATE {self._table}: {failed['Code']}: {failed.get('Message')}")
        return again

    def _statement(self, state: DynamoItem) -> _UpdateStatement:
        assigned = tuple(name for name in state if name != "Truck_ID")
        return {
            "Statement": update_statement(self._table, assigned),
            "Parameters": [*(state[name] for name in assigned), state["Truck_ID"], state["Recency"]],
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def _create(self, states: Sequence[_State], answers: _Answers) -> list[_State]:
        """Write a truck's first row, unless a parallel invocation has just written a newer one."""
        (state,) = states
        try:
            with store_errors("PutItem"):
                self._client.put_item(
                    TableName=self._table,
                    Item=state.item,
                    ConditionExpression="attribute_not_exists(Truck_ID) OR Recency < :recency",
                    ExpressionAttributeValues={":recency": state.item["Recency"]},
                )
        except StoreError as error:
            if not _is_condition_failure(error.__cause__):
                raise
            answers.older.append(state)
        return []


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
