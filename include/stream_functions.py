"""The functions that process the streams, invoked with stored records as their event source mappings invoke them.

Replay sends them records from quarantine, rebuild sends them records from the archive.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from include import names
from include.contracts.kinesis_event import KinesisEvent
from include.retry import backoff
from include.s3_objects import error_code

#: Stream -> the function that processes its records.
FUNCTIONS = {names.CLICK_STREAM: names.CLICK_FUNCTION, names.TRUCK_STREAM: names.TRUCK_FUNCTION}

# Waits between the attempts on one batch, with full jitter.
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 8.0
# Characters of a failed invocation's response that an error shows.
MAX_DETAIL_LENGTH = 500


class FunctionError(RuntimeError):
    """A function cannot be used: it is missing, or its response is not understood.  The message says what to do."""


class InvocationFailedError(Exception):
    """A function raised an exception or ran out of time; the message is its error in one line."""


@dataclass(frozen=True)
class Processed:
    """Every record is durable: in its sink or in quarantine.  ``response`` is the function's own."""

    response: dict[str, Any]


@dataclass(frozen=True)
class Raised:
    """The function raised or ran out of time: nothing is known about the batch as a whole."""

    detail: str


@dataclass(frozen=True)
class Refused:
    """The function's stores, or Lambda itself, did not accept the batch in any attempt."""

    detail: str


class StreamFunctions:
    """Sends batches to the functions of the streams and waits for the outcome.  Thread-safe.

    Args:
        lambda_: a Lambda client.
        attempts: how often a batch is sent before its outcome is final.
        retries_raised: whether a batch that makes the function raise is sent again, like a refused one.
    """

    def __init__(self, lambda_: Any, *, attempts: int, retries_raised: bool = False) -> None:
        self._lambda = lambda_
        self._attempts = attempts
        self._retried = (Refused, Raised) if retries_raised else Refused

    def process(self, stream: str, event: KinesisEvent) -> Processed | Raised | Refused:
        """The outcome of a batch: records of one shard, in order of their sequence numbers.

        Raises:
            FunctionError: the function is missing, or its response is no report of batch item failures.
        """
        function = FUNCTIONS[stream]
        failures = 0
        while True:
            try:
                outcome = self._send(function, event)
            except (ClientError, BotoCoreError) as error:
                return _refusal(function, error)
            failures += 1
            if failures == self._attempts or not isinstance(outcome, self._retried):
                return outcome
            time.sleep(backoff(failures, first=FIRST_WAIT_SECONDS, longest=LONGEST_WAIT_SECONDS))

    def _send(self, function: str, event: KinesisEvent) -> Processed | Raised | Refused:
        try:
            body = invoke(self._lambda, function, event)
        except InvocationFailedError as error:
            return Raised(str(error))
        try:
            response = json.loads(body)
            if response["batchItemFailures"]:
                return Refused("the function's stores did not accept the batch: see its log")
        except (ValueError, LookupError, TypeError) as error:
            raise FunctionError(f"{function} returns {body[:100]!r}, not a report of batch item failures") from error
        return Processed(response)


def invoke(lambda_: Any, function: str, event: Mapping[str, Any]) -> bytes:
    """The response of one synchronous invocation.

    Raises:
        InvocationFailedError: the function raised or ran out of time.
        ClientError, BotoCoreError: Lambda did not run it although boto3 repeated the request.
    """
    # Compact: Lambda limits the size of an event.
    payload = json.dumps(event, separators=(",", ":")).encode()
    response = lambda_.invoke(FunctionName=function, Payload=payload)
    body: bytes = response["Payload"].read()
    if response.get("FunctionError"):
        raise InvocationFailedError(_error_line(body))
    return body


def _refusal(function: str, error: ClientError | BotoCoreError) -> Refused:
    if isinstance(error, ClientError) and error_code(error) == "ResourceNotFoundException":
        raise FunctionError(f"there is no function {function}: run provision_resources") from error
    return Refused(f"{type(error).__name__}: {error}")


def _error_line(body: bytes) -> str:
    try:
        error = json.loads(body)
        return f"{error.get('errorType', 'error')}: {error.get('errorMessage', '')}"[:MAX_DETAIL_LENGTH]
    except (ValueError, AttributeError):
        return body[:MAX_DETAIL_LENGTH].decode(errors="replace")
