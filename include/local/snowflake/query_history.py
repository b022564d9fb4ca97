"""QUERY_HISTORY and its relatives: the last statements, those that run included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from sqlglot import exp

from . import errors
from .context import Context
from .queries import Query

DEFAULT_LIMIT, MOST_LIMIT = 100, 10_000
# Column and type; the columns that an account has beyond these are missing here.
_COLUMNS = {
    "QUERY_ID": "TEXT", "QUERY_TEXT": "TEXT", "SESSION_ID": "BIGINT", "USER_NAME": "TEXT", "ROLE_NAME": "TEXT",
    "WAREHOUSE_NAME": "TEXT", "QUERY_TAG": "TEXT", "EXECUTION_STATUS": "TEXT", "ERROR_CODE": "TEXT",
    "ERROR_MESSAGE": "TEXT", "START_TIME": "TIMESTAMP_LTZ", "END_TIME": "TIMESTAMP_LTZ", "TOTAL_ELAPSED_TIME": "BIGINT",
    "WAREHOUSE_SIZE": "TEXT", "EXECUTION_TIME": "BIGINT",
}  # fmt: skip

Named = Mapping[str, exp.Expr]


def all_queries(context: Context, named: Named, positional: Sequence[exp.Expr]) -> exp.Select:
    """INFORMATION_SCHEMA.QUERY_HISTORY([RESULT_LIMIT => n])."""
    return _select(_seen(context), named, positional, set())


def by_session(context: Context, named: Named, positional: Sequence[exp.Expr]) -> exp.Select:
    """INFORMATION_SCHEMA.QUERY_HISTORY_BY_SESSION([SESSION_ID => n] [, RESULT_LIMIT => n])."""
    wanted = _constant(named, "SESSION_ID", str(context.identifier))
    found = [each for each in _seen(context) if str(each.sender.session) == wanted]
    return _select(found, named, positional, {"SESSION_ID"})


def by_user(context: Context, named: Named, positional: Sequence[exp.Expr]) -> exp.Select:
    """INFORMATION_SCHEMA.QUERY_HISTORY_BY_USER([USER_NAME => 'name'] [, RESULT_LIMIT => n])."""
    wanted = _constant(named, "USER_NAME", context.user)
    found = [each for each in _seen(context) if each.sender.user == wanted]
    return _select(found, named, positional, {"USER_NAME"})


def by_warehouse(context: Context, named: Named, positional: Sequence[exp.Expr]) -> exp.Select:
    """INFORMATION_SCHEMA.QUERY_HISTORY_BY_WAREHOUSE([WAREHOUSE_NAME => 'name'] [, RESULT_LIMIT => n])."""
    wanted = _constant(named, "WAREHOUSE_NAME", context.warehouse or "")
    found = [each for each in _seen(context) if each.sender.warehouse == wanted]
    return _select(found, named, positional, {"WAREHOUSE_NAME"})


def refuse_result_scan(context: Context, named: Named, positional: Sequence[exp.Expr]) -> exp.Select:
    """RESULT_SCAN inside a larger query; alone it is answered from the kept result (``session.py``)."""
    raise errors.unsupported("RESULT_SCAN in anything but SELECT * FROM TABLE(RESULT_SCAN('query id'))")


def _seen(context: Context) -> list[Query]:
    return [each for each in context.instance.queries.newest_first() if context.may_see(each)]


def _select(found: list[Query], named: Named, positional: Sequence[exp.Expr], known: set[str]) -> exp.Select:
    if unknown := set(named) - known - {"RESULT_LIMIT"} or positional:
        raise errors.unsupported(f"QUERY_HISTORY with {', '.join(map(str, unknown))}")
    limit = _constant(named, "RESULT_LIMIT", str(DEFAULT_LIMIT))
    if not limit.isdigit() or not 1 <= int(limit) <= MOST_LIMIT:
        raise errors.compilation_error(f"invalid value [{limit}] for parameter 'RESULT_LIMIT'", 1008, "22023")
    # Those that run come first, as in Snowflake, then those that ended last.
    found.sort(key=lambda query: query.ended_at or datetime.max.replace(tzinfo=UTC), reverse=True)
    rows = [_row(query) for query in found[: int(limit)]]
    empty: tuple[str | int | None, ...] = (None,) * len(_COLUMNS)
    columns = [exp.cast(exp.column(name), kind).as_(name) for name, kind in _COLUMNS.items()]
    select = exp.select(*columns).from_(exp.values(rows or [empty], alias="QUERIES", columns=list(_COLUMNS)))
    return select if rows else select.where(exp.false())


def _row(query: Query) -> tuple[str | int | None, ...]:
    sender, error = query.sender, query.error
    elapsed = (query.ended_at or datetime.now(UTC)) - query.started_at
    return (
        query.id, query.text, sender.session, sender.user, sender.role, sender.warehouse, sender.tag, query.status,
        f"{error.errno:06d}" if error else None, error.message if error else None,
        query.started_at.isoformat(), query.ended_at.isoformat() if query.ended_at else None,
        round(elapsed.total_seconds() * 1000), query.charge.size if query.charge else None,
        round(query.charge.seconds * 1000) if query.charge else 0,
    )  # fmt: skip


def _constant(named: Named, name: str, default: str) -> str:
    given = named.get(name)
    if given is None:
        return default
    if not isinstance(given, exp.Literal):
        raise errors.unsupported(f"{name} => anything but a constant")
    return str(given.name)
