"""The rules of the API: what a request asks for, which readings become records, and the response."""

from __future__ import annotations

import re
from base64 import b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Literal

import msgspec

from include.contracts import METRICS, ContractError, MetricPolicy, TimeLimits, decode_reading, times
from include.contracts.errors import short_repr
from include.contracts.json_object import UNREADABLE
from include.contracts.metric_policy import DEFAULT_METRIC_POLICY
from include.contracts.telemetry import MAX_TRUCK_ID_LENGTH
from lambdas.common.dynamodb import DynamoItem
from lambdas.truck_telemetry_api.callers import EVERYTHING, Access
from lambdas.truck_telemetry_api.proxy import Problem, Response

# The limit of PutRecords.
MAX_READINGS = 500
# A Kinesis record has at most 1 MiB, partition key included.  A reading needs about 1 kB.
MAX_BODY_BYTES = 1_000_000

DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE = 50, 100

# The reason of a reading of a truck that is not the caller's.  The contract has the other reasons.
NOT_YOUR_TRUCK = "not_your_truck"

# For a request that failed through no fault of its own.
RETRY_LATER = {"Retry-After": "1"}

# A device family that can't be changed sends these too: the media types of JSON, none at all, and the one that HTTP
# libraries (and curl -d) add to any body.
_TAKEN_AS_JSON = re.compile(
    r"(?:(?:application|text)/json|application/[a-z0-9.+-]+\+json|application/x-www-form-urlencoded)?"
)
# ASCII is a part of UTF-8.
_UTF_8 = ("utf-8", "utf8", "us-ascii", "ascii", "")

_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


# --- POST /telemetry -------------------------------------------------------------------------------------------------


class ValidReading(msgspec.Struct, frozen=True, gc=False):
    """A valid reading, as the bytes that the device sent."""

    index: int
    truck_id: str
    data: bytes
    # Metrics that the history will have as NULL, and what was sent.
    nulled: dict[str, str] | None = None


class ReadingOutcome(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What happened to one reading of a request.  ``index`` is its place in the list, or 0 if there was no list."""

    index: int
    status: Literal["accepted", "rejected", "failed"]
    # Where it is in the stream.
    shard_id: str | None = None
    sequence_number: str | None = None
    # The rule of the contract that it breaks, or NOT_YOUR_TRUCK.
    reason: str | None = None
    field: str | None = None
    value: str | None = None
    rule: str | None = None
    # Metrics of an accepted reading that are NULL by the deployment's policy, and what was sent.
    nulled: dict[str, str] | None = None


def check_is_json(headers: Mapping[str, str]) -> None:
    """Raise Problem 415 if the headers declare the body as anything but plain JSON in UTF-8."""
    media_type, *parameters = (part.strip().lower() for part in headers.get("content-type", "").split(";"))
    if not _TAKEN_AS_JSON.fullmatch(media_type):
        detail = f"send the body as Content-Type: application/json, not {short_repr(media_type)}"
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)
    for name, _, value in (parameter.partition("=") for parameter in parameters):
        charset = value.strip(" \t\"'")
        if name.rstrip() == "charset" and charset not in _UTF_8:
            detail = f"send the body in UTF-8, not in charset {short_repr(charset)}"
            raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)
    encoding = headers.get("content-encoding", "").strip().lower()
    # Some devices write the charset here.
    if encoding not in ("identity", *_UTF_8):
        detail = f"send the body without Content-Encoding, not with {short_repr(encoding)}"
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)


def payloads(body: bytes) -> list[bytes]:
    """The bytes of each reading: the whole body, or each element of a list exactly as it was sent.

    Raises:
        Problem: the body is too large or empty, or begins like a list and is not a list of 1 to 500 elements.
    """
    if len(body) > MAX_BODY_BYTES:
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body may have at most {MAX_BODY_BYTES:,} bytes")
    text = body.lstrip(b" \t\r\n")
    if not text:
        raise Problem(HTTPStatus.BAD_REQUEST, "the body is empty")
    if not text.startswith(b"["):
        return [body]
    try:
        elements = _decode_list(body)
    except UNREADABLE as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {error}") from error
    if not 1 <= len(elements) <= MAX_READINGS:
        detail = f"a list has 1 to {MAX_READINGS} readings, this one has {len(elements)}"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    return [bytes(element) for element in elements]


def sort_out(
    sent: Sequence[bytes],
    *,
    now: datetime,
    limits: TimeLimits,
    policy: MetricPolicy = DEFAULT_METRIC_POLICY,
    access: Access = EVERYTHING,
) -> tuple[list[ValidReading], list[ReadingOutcome]]:
    """(Valid readings of trucks that the caller may send, outcomes of the others)."""
    readings: list[ValidReading] = []
    rejected: list[ReadingOutcome] = []
    for index, data in enumerate(sent):
        try:
            reading = decode_reading(data, now=now, limits=limits, policy=policy)
        except ContractError as error:
            rejected.append(
                ReadingOutcome(
                    index, "rejected", reason=error.reason, field=error.field, value=error.value, rule=error.rule
                )
            )
            continue
        if access.may_send(reading.truck_id):
            readings.append(ValidReading(index, reading.truck_id, data, dict(reading.nulled) or None))
        else:
            rejected.append(_foreign(index, reading.truck_id))
    return readings, rejected


def _foreign(index: int, truck_id: str) -> ReadingOutcome:
    rule = "this caller may not send readings of this truck"
    return ReadingOutcome(index, "rejected", reason=NOT_YOUR_TRUCK, field="truck_id", value=truck_id, rule=rule)


def stream_places(accepted: Sequence[ReadingOutcome]) -> dict[str, list[str]]:
    """Shard -> the first and the last sequence number of the accepted readings, for the log."""
    places: dict[str, list[str]] = {}
    for outcome in accepted:
        if outcome.shard_id and outcome.sequence_number:
            places.setdefault(outcome.shard_id, []).append(outcome.sequence_number)
    # Decimal without leading zeros: the longer one is the greater.
    by_value = {shard: sorted(numbers, key=lambda number: (len(number), number)) for shard, numbers in places.items()}
    return {shard: [numbers[0], numbers[-1]] for shard, numbers in by_value.items()}


def telemetry_response(outcomes: Sequence[ReadingOutcome]) -> Response:
    """The response to a request, from the outcomes of all its readings: 202 if all were accepted, 207 if some were.

    Raises:
        Problem: none was accepted: 400 (one reading that is not JSON), 403 (all are of other callers' trucks), 422 (all
            others that are rejected: don't retry) or 503 (retry those that failed).
    """
    counts = Counter(outcome.status for outcome in outcomes)
    report: dict[str, object] = {
        **{status: counts[status] for status in ("accepted", "rejected", "failed")},
        "outcomes": sorted(outcomes, key=lambda outcome: outcome.index),
    }
    if counts["accepted"] == len(outcomes):
        return Response(HTTPStatus.ACCEPTED, report)
    if counts["accepted"]:
        return Response(HTTPStatus.MULTI_STATUS, report, headers=RETRY_LATER if counts["failed"] else {})
    if counts["failed"]:
        detail = f"the stream accepted none of the readings; {counts['failed']} may be sent again"
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=RETRY_LATER, more=report)
    if len(outcomes) == 1 and outcomes[0].reason == "not_json":
        raise Problem(HTTPStatus.BAD_REQUEST, f"the body is not {outcomes[0].rule}", more=report)
    if all(outcome.reason == NOT_YOUR_TRUCK for outcome in outcomes):
        detail = "this caller may not send readings of these trucks"
        raise Problem(HTTPStatus.FORBIDDEN, detail, more=report)
    raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "no reading can be accepted", more=report)


# --- GET /trucks and /trucks/{truck_id} ------------------------------------------------------------------------------


class Page(msgspec.Struct, frozen=True):
    """The part of the trucks that is asked for: at most ``size``, after the truck ``after``."""

    size: int
    after: str | None


def check_query(query: Mapping[str, Sequence[str]], known: Collection[str]) -> None:
    """Raise Problem 400 for a parameter that is not ``known`` (probably misspelt) or given more than once."""
    for name, values in query.items():
        if name not in known:
            raise Problem(HTTPStatus.BAD_REQUEST, f"unknown query parameter {name!r}")
        if len(values) != 1:
            raise Problem(HTTPStatus.BAD_REQUEST, f"query parameter {name} is given {len(values)} times")


def page(query: Mapping[str, Sequence[str]]) -> Page:
    """The page that a query asks for.

    Raises:
        Problem: 400, a parameter is unusable.
    """
    check_query(query, ("page_size", "page_token"))
    size, after = DEFAULT_PAGE_SIZE, None
    if "page_size" in query:
        (text,) = query["page_size"]
        size = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(MAX_PAGE_SIZE)) else 0
        if not 1 <= size <= MAX_PAGE_SIZE:
            raise Problem(HTTPStatus.BAD_REQUEST, f"page_size is a whole number from 1 to {MAX_PAGE_SIZE}")
    if "page_token" in query:
        (token,) = query["page_token"]
        after = _truck_of(token)
    return Page(size, after)


def own_trucks(page: Page, access: Access) -> tuple[list[str], str | None]:
    """(The truck ids of ``page`` for a caller that reads only its own, the last of them if there are more)."""
    after = sorted(truck_id for truck_id in access.reads if page.after is None or truck_id > page.after)
    ids = after[: page.size]
    return ids, ids[-1] if len(after) > len(ids) else None


def page_token(last_truck_id: str) -> str:
    """The token of the page after ``last_truck_id``; opaque to callers, so that paging can change."""
    return urlsafe_b64encode(last_truck_id.encode()).decode().rstrip("=")


def _truck_of(token: str) -> str:
    try:
        truck_id = b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode()
    except (NotBase64, ValueError) as error:
        raise Problem(HTTPStatus.BAD_REQUEST, "page_token is not a token of this API") from error
    if not 1 <= len(truck_id) <= MAX_TRUCK_ID_LENGTH:
        raise Problem(HTTPStatus.BAD_REQUEST, "page_token is not a token of this API")
    return truck_id


def truck(item: DynamoItem, *, now: datetime) -> dict[str, object]:
    """A row of TruckLatestState as the API shows it: times with their zone, and null for a metric that is NULL.

    ``age_seconds`` is the time since the reading was taken; negative if the truck's clock is ahead of ours.
    """
    event_time = item["Event_Time"]["S"]
    state: dict[str, object] = {
        "truck_id": item["Truck_ID"]["S"],
        "event_time": f"{event_time}Z",
        "age_seconds": round((now - times.parse(event_time)).total_seconds(), 3),
        "arrival_time": f"{item['Arrival_Time']['S']}Z",
        "ingested_at": f"{item['Ingested_At']['S']}Z",
    }
    for metric in METRICS:
        value = item.get(metric.name)
        state[metric.name] = None if value is None else float(value["N"]) if metric.kind == "number" else value["S"]
    return state
