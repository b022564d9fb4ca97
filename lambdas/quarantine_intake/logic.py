"""Turns an object of an on-failure destination in S3 into records in quarantine.

The object is the invocation record that AWS documents for Kinesis; its payload is the whole event:
https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NotRequired, TypedDict

import msgspec

from include import names
from include.contracts.abandoned import AbandonedBatch
from include.contracts.kinesis_event import KinesisEvent
from include.contracts.quarantine import NOT_PROCESSED, Quarantined
from lambdas.common import batch


class InvocationContext(TypedDict):
    """Which function the mapping invoked, how often, and why it gave up."""

    functionArn: str
    condition: str
    approximateInvokeCount: int


class ResponseContext(TypedDict):
    """How the last invocation ended."""

    functionError: NotRequired[str | None]


class InvocationRecord(TypedDict):
    """The part of an invocation record that is used here.  ``payload`` is the event, or its JSON text."""

    requestContext: InvocationContext
    responseContext: NotRequired[ResponseContext | None]
    payload: KinesisEvent | str


class NotAnInvocationRecordError(ValueError):
    """The object is not an invocation record of a Kinesis event source mapping."""


def abandoned(body: bytes) -> list[Quarantined]:
    """The records in one object of an on-failure destination.  The same object always has the same records.

    Raises:
        NotAnInvocationRecordError: it is no invocation record, or its event has no records.
    """
    try:
        written: InvocationRecord = json.loads(body)
        payload = written["payload"]
        event: KinesisEvent = json.loads(payload) if isinstance(payload, str) else payload
        function = written["requestContext"]["functionArn"].split(":")[6]
        rule = _rule(written)
        records = [
            Quarantined(
                reason=NOT_PROCESSED,
                field=None,
                value=None,
                rule=rule,
                envelope=record.envelope,
                payload=record.payload,
                function=function,
            )
            for record in batch.records(event)
        ]
    # Every error that other bytes can cause.
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise NotAnInvocationRecordError(f"{type(error).__name__}: {error}") from error
    if not records:
        raise NotAnInvocationRecordError("its event has no records")
    return records


def notice_key(key: str) -> str:
    """Where the notice of the batch in the object ``key`` is."""
    return f"{names.ABANDONED_PREFIX}{key.removeprefix(names.ON_FAILURE_PREFIX)}.json"


def notice(records: Sequence[Quarantined]) -> bytes:
    """The notice of a batch with these records; the same batch has the same bytes."""
    first = records[0]
    batch_given_up = AbandonedBatch(
        function=first.function, stream=first.envelope.stream, records=len(records), rule=first.rule
    )
    return msgspec.json.encode(batch_given_up)


def _rule(written: InvocationRecord) -> str:
    """Why the mapping gave up, in words."""
    context = written["requestContext"]
    function_error = (written.get("responseContext") or {}).get("functionError")
    ended = f"; the last one ended with {function_error}" if function_error else ""
    return f"{context['condition']} after {context['approximateInvokeCount']} invocations{ended}"
