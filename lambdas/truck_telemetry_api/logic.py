"""The rules of the API: what a request asks for, what becomes a record, and what is answered."""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import unquote

import msgspec

from include.contracts import METRICS, ContractError, decode_reading, times
from lambdas.common.dynamodb import DynamoItem

# PutRecords' limit.
MAX_READINGS = 500
# A record of Kinesis has at most 1 MiB, partition key included; one reading needs about 1 kB.
MAX_BODY_BYTES = 1_000_000

DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE = 50, 100
MAX_TRUCK_ID_LENGTH = 64

# For whom nothing was wrong with the request.
RETRY_LATER = {"Retry-After": "1"}

# What msgspec raises for bytes that are no JSON; the last two are not errors of its own.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Problem(Exception):
    """A request that gets no other answer than why: a problem document (RFC 9457).

    Attributes:
        more: members of the document besides the standard ones.
    """

    def __init__(
        self, status: HTTPStatus, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = more


class Request(msgspec.Struct, frozen=True):
    """A request as API Gateway's Lambda proxy integration describes it."""

    method: str
    # The path's pattern in the OpenAPI document, such as ``/trucks/{truck_id}``.
    route: str
    id: str
    headers: dict[str, str]
    path_parameters: dict[str, str]
    query: dict[str, list[str]]
    body: bytes

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Request:
        """The request of a proxy event (payload format 1.0); header names are folded to lower case."""
        body = event.get("body") or ""
        return cls(
            method=event["httpMethod"],
            route=event["resource"],
            id=event["requestContext"]["requestId"],
            headers={name.lower(): value for name, value in (event.get("headers") or {}).items()},
            # API Gateway passes path parameters on as they are in the URL, unlike those of the query.
            path_parameters={name: unquote(value) for name, value in (event.get("pathParameters") or {}).items()},
            query=event.get("multiValueQueryStringParameters") or {},
            body=b64decode(body) if event.get("isBase64Encoded") else body.encode("utf-8", "surrogatepass"),
        )


class Response(msgspec.Struct, frozen=True):
    """What is answered; ``body`` is sent as JSON."""

    status: HTTPStatus
    body: dict[str, Any]
    content_type: str = "application/json"
    headers: dict[str, str] = {}

    def to_event(self) -> dict[str, Any]:
        """As the proxy integration expects it."""
        return {
            "statusCode": int(self.status),
            "headers": {"Content-Type": self.content_type, "Cache-Control": "no-store", **self.headers},
            "body": msgspec.json.encode(self.body).decode(),
            "isBase64Encoded": False,
        }


def problem_response(problem: Problem, request_id: str) -> Response:
    """The problem document.

    ``type`` is about:blank: the status says what kind of problem it is (RFC 9457, 4.2.1).  ``instance`` names the
    request, as does the function's log.
    """
    document = {
        "type": "about:blank",
        "title": problem.status.phrase,
        "status": int(problem.status),
        "detail": problem.detail,
        "instance": f"urn:uuid:{request_id}",
        **problem.more,
    }
    return Response(problem.status, document, "application/problem+json", problem.headers)


# --- POST /telemetry -------------------------------------------------------------------------------------------------


class ValidReading(msgspec.Struct, frozen=True, gc=False):
    """A valid reading on its way into the stream: the bytes that the device sent for it."""

    index: int
    truck_id: str
    data: bytes


class ReadingOutcome(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What became of one reading of a request, by its place in the list (0 where it was not a list)."""

    index: int
    status: Literal["accepted", "rejected", "failed"]
    # Where the stream has it.
    shard_id: str | None = None
    sequence_number: str | None = None
    # Which rule of the contract it breaks.
    reason: str | None = None
    field: str | None = None
    value: str | None = None
    rule: str | None = None


def check_is_json(headers: Mapping[str, str]) -> None:
    """Raises Problem 415 unless the body is declared as plain JSON in UTF-8."""
    media_type, *parameters = (part.strip().lower() for part in headers.get("content-type", "").split(";"))
    charsets = [value.strip('"') for name, _, value in (p.partition("=") for p in parameters) if name == "charset"]
    if media_type != "application/json" or charsets not in ([], ["utf-8"]):
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the body as Content-Type: application/json, in UTF-8")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the body without Content-Encoding")


def payloads(body: bytes) -> list[bytes]:
    """The bytes of each reading: all of the body or, of a list, each element as it stands there.

    Raises:
        Problem: the body is too large, empty, or not a list of 1 to 500 elements where it begins like a list.
    """
    if len(body) > MAX_BODY_BYTES:
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body may have {MAX_BODY_BYTES:,} bytes")
    text = body.lstrip(b" \t\r\n")
    if not text:
        raise Problem(HTTPStatus.BAD_REQUEST, "the body is empty")
    if not text.startswith(b"["):
        return [body]
    try:
        elements = _decode_list(body)
    except _UNREADABLE as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {error}") from error
    if not 1 <= len(elements) <= MAX_READINGS:
        detail = f"a list has 1 to {MAX_READINGS} readings, this one {len(elements)}"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    return [bytes(element) for element in elements]


def sort_out(
    sent: Sequence[bytes], *, now: datetime, max_clock_skew: timedelta, max_event_age: timedelta | None
) -> tuple[list[ValidReading], list[ReadingOutcome]]:
    """(readings that keep the contract, outcomes of those that don't)."""
    readings: list[ValidReading] = []
    rejected: list[ReadingOutcome] = []
    for index, data in enumerate(sent):
        try:
            reading = decode_reading(data, now=now, max_clock_skew=max_clock_skew, max_event_age=max_event_age)
        except ContractError as error:
            rejected.append(
                ReadingOutcome(
                    index, "rejected", reason=error.reason, field=error.field, value=error.value, rule=error.rule
                )
            )
        else:
            readings.append(ValidReading(index, reading.truck_id, data))
    return readings, rejected


def telemetry_response(outcomes: Sequence[ReadingOutcome]) -> Response:
    """The answer to a request whose every reading has its outcome.

    202 where all were accepted, 207 where only some were.

    Raises:
        Problem: none was accepted: 400 (one reading, not even JSON), 422 (the contract refuses all: don't repeat) or
            503 (repeat those that failed).
    """
    counts = Counter(outcome.status for outcome in outcomes)
    report = {
        **{status: counts[status] for status in ("accepted", "rejected", "failed")},
        "outcomes": sorted(outcomes, key=lambda outcome: outcome.index),
    }
    if counts["accepted"] == len(outcomes):
        return Response(HTTPStatus.ACCEPTED, report)
    if counts["accepted"]:
        return Response(HTTPStatus.MULTI_STATUS, report, headers=RETRY_LATER if counts["failed"] else {})
    if counts["failed"]:
        detail = f"the stream took none of the readings; {counts['failed']} may be sent again"
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=RETRY_LATER, **report)
    if len(outcomes) == 1 and outcomes[0].reason == "not_json":
        raise Problem(HTTPStatus.BAD_REQUEST, f"the body is not {outcomes[0].rule}", **report)
    raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "no reading keeps the contract", **report)


# --- GET /trucks and /trucks/{truck_id} ------------------------------------------------------------------------------


class Page(msgspec.Struct, frozen=True):
    """Which part of the trucks is asked for: ``size`` of them, behind ``after``."""

    size: int
    after: str | None


def check_query(query: Mapping[str, Sequence[str]], known: Collection[str]) -> None:
    """Raises Problem 400 for a parameter that is not ``known``, most likely misspelt, or given twice."""
    for name, values in query.items():
        if name not in known:
            raise Problem(HTTPStatus.BAD_REQUEST, f"unknown query parameter {name!r}")
        if len(values) != 1:
            raise Problem(HTTPStatus.BAD_REQUEST, f"query parameter {name} is given {len(values)} times")


def page(query: Mapping[str, Sequence[str]]) -> Page:
    """The page that a query asks for.

    Raises:
        Problem: 400, an unusable parameter.
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


def page_token(last_truck_id: str) -> str:
    """The token of the page behind ``last_truck_id``; opaque to callers, so that paging can change."""
    return urlsafe_b64encode(last_truck_id.encode()).decode().rstrip("=")


def _truck_of(token: str) -> str:
    try:
        truck_id = b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode()
    except (NotBase64, ValueError) as error:
        raise Problem(HTTPStatus.BAD_REQUEST, "page_token is not one that this API has given") from error
    if not 1 <= len(truck_id) <= MAX_TRUCK_ID_LENGTH:
        raise Problem(HTTPStatus.BAD_REQUEST, "page_token is not one that this API has given")
    return truck_id


def truck(item: DynamoItem, *, now: datetime) -> dict[str, Any]:
    """A row of TruckLatestState as the API shows it: times with their zone, a metric that is NULL as null.

    ``age_seconds`` is how long ago the reading was taken; negative where the truck's clock is ahead of ours.
    """
    event_time = item["Event_Time"]["S"]
    state: dict[str, Any] = {
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
