"""System functions that wait, and that stop statements and sessions."""

from __future__ import annotations

from . import errors
from .context import Context
from .queries import Query

_SECONDS = {
    "DAYS": 86_400.0,
    "HOURS": 3_600.0,
    "MINUTES": 60.0,
    "SECONDS": 1.0,
    "MILLISECONDS": 1e-3,
    "MICROSECONDS": 1e-6,
    "NANOSECONDS": 1e-9,
}


def wait(context: Context, amount: str, unit: str) -> str:
    """SYSTEM$WAIT(amount [, unit])."""
    try:
        seconds = float(amount) * _SECONDS[unit.upper()]
    except (KeyError, ValueError) as error:
        raise errors.compilation_error(f"invalid argument of SYSTEM$WAIT: {amount} {unit}", 1015) from error
    if context.query:
        context.query.wait(seconds)
    return f"waited {amount} {unit.lower()}"


def cancel(context: Context, identifier: str) -> str:
    """SYSTEM$CANCEL_QUERY(query id)."""
    query = context.instance.queries.find(identifier)
    if query is not None:
        _check_may_stop(context, query)
    if query is None or not query.cancel(errors.canceled()):
        return "Identified SQL statement is not currently executing."
    return f"query [{query.id}] terminated."


def cancel_all(context: Context, session: str) -> str:
    """SYSTEM$CANCEL_ALL_QUERIES(session id): all but the statement that asks for it."""
    found = context.instance.queries.running(_session_number(session))
    for query in found:
        _check_may_stop(context, query)
    cancelled = [each for each in found if each is not context.query and each.cancel(errors.canceled())]
    return f"{len(cancelled)} cancelled."


def abort_session(context: Context, session: str) -> str:
    """SYSTEM$ABORT_SESSION(session id): its statements are cancelled, its transaction is rolled back, it is gone."""
    number = _session_number(session)
    user, end = context.instance.sessions.get(number, ("", None))
    if end is None or number == context.identifier or not context.may_end(user):
        raise errors.compilation_error(f"Session '{session}' does not exist or not authorized.", 2003, "42S02")
    end()
    return f"session [{number}] terminated."


def _check_may_stop(context: Context, query: Query) -> None:
    if not context.may_stop(query):
        raise errors.insufficient("query", query.id)


def _session_number(session: str) -> int:
    if not session.isdigit():
        raise errors.compilation_error(f"invalid session id '{session}'", 1015)
    return int(session)
