"""Who sends a request, and of which trucks it may send readings and read states.  No AWS call is made here."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Literal, TypedDict

import msgspec

from include.contracts.telemetry import MAX_TRUCK_ID_LENGTH
from lambdas.truck_telemetry_api.proxy import Problem, RequestContext

# By what API Gateway identifies a caller: the API key, the IAM identity that signed the request, or the subject of a
# token.
Authorization = Literal["key", "iam", "jwt"]

# In the place of truck ids: every truck, also those that do not exist yet.
EVERY_TRUCK = "*"

# The session's name at the end of an assumed role's ARN differs from one session to the next.
_SESSION = re.compile(r"(:assumed-role/[^/]+)/.*")


class TruckIds(TypedDict):
    """A set of texts in DynamoDB's notation."""

    SS: list[str]


class CallerRow(TypedDict, total=False):
    """The part of a row of the table of callers that is used here."""

    Sends: TruckIds
    Reads: TruckIds


class Access(msgspec.Struct, frozen=True):
    """The trucks of which a caller may send readings, and those whose state it may read."""

    sends: frozenset[str]
    reads: frozenset[str]

    @property
    def reads_every_truck(self) -> bool:
        return EVERY_TRUCK in self.reads

    def may_send(self, truck_id: str) -> bool:
        return EVERY_TRUCK in self.sends or truck_id in self.sends

    def may_read(self, truck_id: str) -> bool:
        return self.reads_every_truck or truck_id in self.reads


EVERYTHING = Access(frozenset({EVERY_TRUCK}), frozenset({EVERY_TRUCK}))


def caller_id(context: RequestContext, authorization: Authorization) -> str:
    """The caller as the table of callers names it: id of the key, ARN without its session, or subject.

    Raises:
        Problem: 403, API Gateway names no caller.
    """
    identity = context.get("identity") or {}
    match authorization:
        case "key":
            found = identity.get("apiKeyId")
        case "iam":
            found = _SESSION.sub(r"\1", identity.get("userArn") or "")
        case "jwt":
            found = _claims(context).get("sub")
    if not found:
        raise Problem(HTTPStatus.FORBIDDEN, "the caller is unknown")
    return found


def claimed_access(context: RequestContext, claim: str) -> Access:
    """The access that a claim of the caller's token gives: truck ids separated by commas, or ``*``.

    A part that can be no truck's id names none: DynamoDB would refuse it as a key, and the whole request with it.
    """
    parts = (part.strip() for part in _claims(context).get(claim, "").split(","))
    trucks = frozenset(part for part in parts if 1 <= len(part) <= MAX_TRUCK_ID_LENGTH)
    return Access(trucks, trucks)


def registered_access(row: CallerRow | None) -> Access:
    """The access that a row of the table of callers gives; none if the caller has no row."""
    row = row or {}
    sends = row["Sends"]["SS"] if "Sends" in row else ()
    reads = row["Reads"]["SS"] if "Reads" in row else ()
    return Access(frozenset(sends), frozenset(reads))


def _claims(context: RequestContext) -> dict[str, str]:
    authorizer = context.get("authorizer") or {}
    return authorizer.get("claims") or {}
