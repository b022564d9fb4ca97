"""What an on-failure destination in S3 holds, as records in quarantine.

The object is the invocation record that AWS documents for Kinesis, with the whole event as its payload:
https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
"""

from __future__ import annotations

import json
from typing import Any

from include.contracts.quarantine import NOT_PROCESSED, Quarantined
from lambdas.common import batch


class NotAnInvocationRecordError(ValueError):
    """The object is not what a Kinesis event source mapping leaves; it stays where it is."""


def abandoned(body: bytes) -> list[Quarantined]:
    """The records of one object of an on-failure destination, whose event may be an object or JSON in a text.

    The same object gives the same records, byte for byte.

    Raises:
        NotAnInvocationRecordError: it is none, or holds no event.
    """
    try:
        written = json.loads(body)
        payload = written["payload"]
        event = json.loads(payload) if isinstance(payload, str) else payload
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
    # Whatever bytes can be instead of it.
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise NotAnInvocationRecordError(f"{type(error).__name__}: {error}") from error
    if not records:
        raise NotAnInvocationRecordError("its event has no records")
    return records


def _rule(written: dict[str, Any]) -> str:
    """Why the mapping gave up, as a sentence."""
    context = written["requestContext"]
    answer = written.get("responseContext") or {}
    ended = f"; the last one ended with {answer['functionError']}" if answer.get("functionError") else ""
    return f"{context['condition']} after {context['approximateInvokeCount']} invocations{ended}"
