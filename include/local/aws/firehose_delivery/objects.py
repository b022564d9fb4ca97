"""The names of Firehose's objects in S3, and the lines that it writes for records that it could not transform."""

from __future__ import annotations

import base64
import json
import re
import uuid
from datetime import UTC, datetime

# !{timestamp:<Java pattern>}, !{firehose:error-output-type}, !{firehose:random-string}
_EXPRESSION = re.compile(r"!\{(?P<namespace>[^:}]*):(?P<value>[^}]*)\}")
# The letters of Java's DateTimeFormatter that are understood; a pattern may have no others.
_TIME_LETTERS = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}
_TIME_TOKEN = re.compile(r"([A-Za-z])\1*")
PROCESSING_FAILED = "processing-failed"


def check_prefix(prefix: str) -> None:
    """Raises:
    ValueError: the prefix has an expression that is not understood.
    """
    evaluate(prefix, datetime(2000, 1, 1, tzinfo=UTC), PROCESSING_FAILED)


def evaluate(prefix: str, moment: datetime, error_output_type: str = "") -> str:
    """Evaluate the prefix of an object whose oldest record arrived at ``moment``.

    A prefix without a timestamp is followed by yyyy/MM/dd/HH/, as on AWS.

    Raises:
        ValueError: an expression is not understood.
    """

    def value_of(match: re.Match[str]) -> str:
        match match["namespace"], match["value"]:
            case "timestamp", pattern:
                return moment.astimezone(UTC).strftime(_TIME_TOKEN.sub(_time_format, pattern))
            case "firehose", "error-output-type":
                return error_output_type
            case "firehose", "random-string":
                return uuid.uuid4().hex[:11]
        raise ValueError(f"{match[0]} in a prefix is not understood")

    if "!{timestamp:" not in prefix:
        prefix += "!{timestamp:yyyy/MM/dd/HH}/"
    return _EXPRESSION.sub(value_of, prefix)


def object_name(delivery_stream: str, version: str, moment: datetime, *, gzip: bool) -> str:
    """Name an object: <delivery stream>-<version>-<time>-<UUID>, with .gz if it is compressed."""
    at = moment.astimezone(UTC).strftime("%Y-%m-%d-%H-%M-%S")
    return f"{delivery_stream}-{version}-{at}-{uuid.uuid4()}" + (".gz" if gzip else "")


def failed_record(
    *, data: bytes, arrival: datetime, attempts: int, ended: datetime, error: tuple[str, str], function_arn: str
) -> bytes:
    """Build one line of an object under processing-failed; ``error`` is a code and a message."""
    document = {
        "attemptsMade": attempts,
        "arrivalTimestamp": milliseconds(arrival),
        "errorCode": error[0],
        "errorMessage": error[1],
        "attemptEndingTimestamp": milliseconds(ended),
        "rawData": base64.b64encode(data).decode(),
        "lambdaArn": function_arn,
    }
    return json.dumps(document).encode() + b"\n"


def milliseconds(moment: datetime) -> int:
    """Return ``moment`` in milliseconds since the epoch."""
    return round(moment.timestamp() * 1000)


def _time_format(match: re.Match[str]) -> str:
    try:
        return _TIME_LETTERS[match[0]]
    except KeyError:
        raise ValueError(f"{match[0]} in a timestamp pattern is not understood") from None
