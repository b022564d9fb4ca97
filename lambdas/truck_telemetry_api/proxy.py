"""HTTP as API Gateway's Lambda proxy integration passes it: requests, responses and problem documents."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from http import HTTPStatus
from typing import NotRequired, TypedDict
from urllib.parse import unquote

import msgspec


class Identity(TypedDict, total=False):
    """Who calls, by key or by signature."""

    apiKeyId: str | None
    userArn: str | None


class Authorizer(TypedDict, total=False):
    """Who calls, by token."""

    claims: dict[str, str]


class RequestContext(TypedDict):
    """The part of an event's request context that is used here."""

    requestId: str
    identity: NotRequired[Identity]
    authorizer: NotRequired[Authorizer | None]


class ProxyEvent(TypedDict):
    """The part of a proxy event (payload format 1.0) that is used here."""

    httpMethod: str
    resource: str
    requestContext: RequestContext
    headers: NotRequired[dict[str, str] | None]
    pathParameters: NotRequired[dict[str, str] | None]
    multiValueQueryStringParameters: NotRequired[dict[str, list[str]] | None]
    body: NotRequired[str | None]
    isBase64Encoded: NotRequired[bool]


class ProxyAnswer(TypedDict):
    """The answer that the proxy integration expects."""

    statusCode: int
    headers: dict[str, str]
    body: str
    isBase64Encoded: bool


class Problem(Exception):
    """A request that is answered with a problem document (RFC 9457).

    Attributes:
        more: members of the document besides the standard ones.
    """

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = dict(more or {})


class Request(msgspec.Struct, frozen=True):
    """A request; header names are in lower case."""

    method: str
    # The path's pattern in the OpenAPI document, such as ``/trucks/{truck_id}``.
    route: str
    id: str
    context: RequestContext
    headers: dict[str, str]
    path_parameters: dict[str, str]
    query: dict[str, list[str]]
    body: bytes

    @classmethod
    def of(cls, event: ProxyEvent) -> Request:
        """The request in a proxy event."""
        body = event.get("body") or ""
        return cls(
            method=event["httpMethod"],
            route=event["resource"],
            id=event["requestContext"]["requestId"],
            context=event["requestContext"],
            headers={name.lower(): value for name, value in (event.get("headers") or {}).items()},
            # API Gateway decodes the parameters of the query, but not those of the path.
            path_parameters={name: unquote(value) for name, value in (event.get("pathParameters") or {}).items()},
            query=event.get("multiValueQueryStringParameters") or {},
            body=b64decode(body) if event.get("isBase64Encoded") else body.encode("utf-8", "surrogatepass"),
        )


class Response(msgspec.Struct, frozen=True):
    """A response; ``body`` is sent as JSON."""

    status: HTTPStatus
    body: dict[str, object]
    content_type: str = "application/json"
    headers: dict[str, str] = {}

    def to_answer(self) -> ProxyAnswer:
        """The response as the proxy integration expects it."""
        return {
            "statusCode": int(self.status),
            "headers": {"Content-Type": self.content_type, "Cache-Control": "no-store", **self.headers},
            "body": msgspec.json.encode(self.body).decode(),
            "isBase64Encoded": False,
        }


def problem_response(problem: Problem, request_id: str) -> Response:
    """The response with the problem document.

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
