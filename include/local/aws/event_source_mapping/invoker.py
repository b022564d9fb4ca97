"""Invokes the function with a batch, and reads its answer as a Kinesis event source mapping does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from include.local.aws.event_source_mapping.batcher import EventRecord, event_payload
from include.local.aws.event_source_mapping.settings import MappingSettings


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The whole batch was processed."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The function ran, and did not process the whole batch.

    ``first_failed`` is the index of the first record that was not processed, as the function reported it; None when no
    record is known to have been processed.
    """

    reason: str
    request_id: str
    status_code: int
    executed_version: str
    function_error: str | None
    first_failed: int | None = None


@dataclass(frozen=True, slots=True)
class NotInvoked:
    """The function did not run: it is missing or throttled, or Lambda could not be reached."""

    reason: str


Outcome = Succeeded | Failed | NotInvoked


class Invoker:
    """Invokes one mapping's function."""

    def __init__(self, lambda_client: Any) -> None:
        self._lambda = lambda_client

    def role_arn(self, function_arn: str) -> str:
        """Return the function's execution role, which an event names as its invokeIdentityArn.

        Raises:
            ClientError, BotoCoreError: the function is missing, or Lambda could not be reached.
        """
        return str(self._lambda.get_function_configuration(FunctionName=function_arn)["Role"])

    def invoke(self, settings: MappingSettings, records: Sequence[EventRecord]) -> Outcome:
        """Invoke the function synchronously with the records; return every outcome, raise none."""
        try:
            answer = self._lambda.invoke(FunctionName=settings.function_arn, Payload=event_payload(records))
            body = answer["Payload"].read()
        except (ClientError, BotoCoreError) as error:
            return NotInvoked(str(error))
        failed = partial(
            Failed,
            request_id=answer["ResponseMetadata"].get("RequestId", ""),
            status_code=answer.get("StatusCode", 200),
            executed_version=answer.get("ExecutedVersion", "$LATEST"),
            function_error=None,
        )
        if function_error := answer.get("FunctionError"):
            return failed(_error_text(body), function_error=function_error)
        if not settings.report_item_failures:
            return Succeeded()
        try:
            failures = _item_failures(body)
        except ValueError as error:
            return failed(str(error))
        if not failures:
            return Succeeded()
        indexes = {record.record.sequence_number: index for index, record in enumerate(records)}
        if unknown := [failure for failure in failures if failure not in indexes]:
            return failed(f"it reported {unknown[0]!r}, which is not in the batch")
        first = min(indexes[failure] for failure in failures)
        return failed(f"it reported {failures[0]} as failed", first_failed=first)


def _item_failures(body: bytes) -> list[str]:
    """Read the sequence numbers in a ReportBatchItemFailures answer; there are none when the whole batch succeeded.

    Raises:
        ValueError: the answer can't be understood; AWS treats this as a failure of the whole batch.
    """
    answer = json.loads(body) if body else None
    if answer in (None, "", {}):
        return []
    if not isinstance(answer, dict):
        raise ValueError(  # noqa: TRY004
            f"its answer is {type(answer).__name__}, not an object with batchItemFailures"
        )
    items = answer.get("batchItemFailures")
    if items is None:
        return []
    if not isinstance(items, list):
        raise ValueError("batchItemFailures is not a list")  # noqa: TRY004
    identifiers = [item.get("itemIdentifier") for item in items if isinstance(item, dict)]
    found = [identifier for identifier in identifiers if isinstance(identifier, str) and identifier]
    if len(found) != len(items):
        raise ValueError("an entry of batchItemFailures has no itemIdentifier")
    return found


def _error_text(body: bytes) -> str:
    try:
        error = json.loads(body)
    except ValueError:
        return body[:200].decode(errors="replace")
    if isinstance(error, dict):
        return f"{error.get('errorType', 'Error')}: {error.get('errorMessage', '')}"[:200]
    return str(error)[:200]
