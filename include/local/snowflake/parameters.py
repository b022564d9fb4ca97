"""Parameters: what ALTER ACCOUNT, ALTER SESSION and ALTER TABLE ... SET change, and SHOW PARAMETERS tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
from sqlglot import exp

from . import errors
from .catalog import ACCOUNT, like_pattern
from .grammar import Alter, Create, Name, Show
from .results import Result

if TYPE_CHECKING:
    from .instance import Instance
    from .session import Session

TableKey = tuple[str, str, str]

DEFAULT_TIME_ZONE = "America/Los_Angeles"
# Session parameters that are accepted and change nothing here.
IGNORED = {
    "QUERY_TAG",
    "STATEMENT_TIMEOUT_IN_SECONDS",
    "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS",
    "LOCK_TIMEOUT",
    "ABORT_DETACHED_QUERY",
    "USE_CACHED_RESULT",
    "CLIENT_SESSION_KEEP_ALIVE",
    "PYTHON_CONNECTOR_QUERY_RESULT_FORMAT",
}
_ACCOUNT_KEY = (*ACCOUNT, "TIMEZONE")
_ACCOUNT_KIND = "ACCOUNT PARAMETER"
_TABLE_KIND = "TABLE PARAMETERS"


@dataclass(frozen=True)
class _TableParameter:
    default: int
    maximum: int
    description: str


# What they mean for streams is in ``streams``; time travel itself is refused.
TABLE_PARAMETERS = {
    "DATA_RETENTION_TIME_IN_DAYS": _TableParameter(
        1, 90, "number of days to retain the old version of deleted/updated data"
    ),
    "MAX_DATA_EXTENSION_TIME_IN_DAYS": _TableParameter(
        14, 90, "Maximum number of days to extend data retention beyond the retention period to prevent a stream"
        " becoming stale.",
    ),
}  # fmt: skip


# --- the account ------------------------------------------------------------------------------------------------------


def account_time_zone(instance: Instance, duck: duckdb.DuckDBPyConnection) -> str:
    """The time zone of every session that does not state one, Snowpipe's among them."""
    if not instance.catalog.may_exist(_ACCOUNT_KIND, "TIMEZONE"):
        return DEFAULT_TIME_ZONE
    found = instance.catalog.find(duck, _ACCOUNT_KIND, _ACCOUNT_KEY)
    return found.definition["VALUE"] if found else DEFAULT_TIME_ZONE


def alter_account(session: Session, statement: Alter) -> Result:
    """ALTER ACCOUNT SET | UNSET TIMEZONE: for sessions that begin from now on."""
    if unknown := set(statement.options) - {"TIMEZONE"}:
        raise errors.unsupported(f"ALTER ACCOUNT {statement.action} {', '.join(sorted(unknown))}")
    catalog = session.instance.catalog
    if statement.action == "UNSET":
        if catalog.find(session.duck, _ACCOUNT_KIND, _ACCOUNT_KEY):
            catalog.drop(session.duck, _ACCOUNT_KIND, _ACCOUNT_KEY)
    else:
        name = str(statement.options["TIMEZONE"])
        with session.instance.cursor() as side:
            set_time_zone(side, name)
        created = Create(_ACCOUNT_KIND, Name(("TIMEZONE",)), or_replace=True)
        catalog.create(session.duck, created, _ACCOUNT_KEY, {"VALUE": name})
    return Result.status("Statement executed successfully.")


# --- a session --------------------------------------------------------------------------------------------------------


def set_time_zone(duck: duckdb.DuckDBPyConnection, name: str) -> None:
    """Set a connection's time zone.

    Raises:
        SnowflakeError: there is no such zone.
    """
    try:
        duck.execute(f"SET TimeZone = '{name.replace(chr(39), '')}'")
    except duckdb.Error as error:
        raise errors.compilation_error(f"invalid value '{name}' for parameter 'TIMEZONE'", 1008, "22023") from error


def alter_session(session: Session, expression: exp.Alter) -> Result:
    """ALTER SESSION SET | UNSET."""
    action = expression.find(exp.AlterSession)
    if action is None:
        raise errors.unsupported("ALTER SESSION of anything but parameters")
    for item in action.expressions:
        if action.args.get("unset"):
            _unset(session, item.this.name.upper())
        else:
            _set(session, item.this.left.name.upper(), item.this.right)
    return Result.status("Statement executed successfully.")


def _set(session: Session, name: str, value: exp.Expr) -> None:
    if name == "AUTOCOMMIT":
        session.set_autocommit(value.name.upper() == "TRUE" or value.sql().upper() == "TRUE")
    elif name == "TIMEZONE":
        session.set_time_zone(value.name)
    elif name == "ERROR_ON_NONDETERMINISTIC_MERGE":
        if value.sql().upper() != "TRUE":
            raise errors.unsupported("ERROR_ON_NONDETERMINISTIC_MERGE = FALSE")
    elif name not in IGNORED:
        raise errors.unsupported(f"ALTER SESSION SET {name}")


def _unset(session: Session, name: str) -> None:
    if name == "AUTOCOMMIT":
        session.set_autocommit(True)
    elif name == "TIMEZONE":
        session.set_time_zone(account_time_zone(session.instance, session.duck))
    elif name not in IGNORED:
        raise errors.unsupported(f"ALTER SESSION UNSET {name}")


# --- a table ----------------------------------------------------------------------------------------------------------


def take_from(expression: exp.Create) -> dict[str, int]:
    """Remove a CREATE's table parameters from it, in place, and check them.

    Raises:
        SnowflakeError: a value out of range, or a property that can't be honoured.
    """
    taken: dict[str, int] = {}
    properties = expression.args.get("properties")
    for each in list(properties.expressions) if properties else []:
        if type(each) is not exp.Property:
            continue
        name = each.this.name.upper()
        if expression.kind != "TABLE" or name not in TABLE_PARAMETERS:
            raise errors.unsupported(f"CREATE {expression.kind} ... {name}")
        taken[name] = _days(name, each.args["value"].name)
        each.pop()
    return taken


def keep(session: Session, table: TableKey, values: dict[str, int]) -> None:
    """Remember what a table was created with."""
    if values:
        created = Create(_TABLE_KIND, Name(table), or_replace=True)
        session.instance.catalog.create(session.duck, created, table, values)


def forget(session: Session, table: TableKey) -> None:
    """The table was dropped or replaced."""
    if _of_table(session.instance, session.duck, table):
        session.instance.catalog.drop(session.duck, _TABLE_KIND, table)


def table_renamed(session: Session, table: TableKey, new: TableKey) -> None:
    values = _of_table(session.instance, session.duck, table)
    forget(session, table)
    keep(session, new, values)


def alter_table(session: Session, statement: Alter) -> Result:
    """ALTER TABLE ... SET | UNSET of table parameters, in the session's transaction."""
    table = session.resolve(statement.name)
    if not session.instance.has_table(session.duck, table):
        if statement.if_exists:
            return Result.status("Statement executed successfully.")
        raise errors.does_not_exist("Table", str(statement.name))
    if unknown := set(statement.options) - set(TABLE_PARAMETERS):
        raise errors.unsupported(f"ALTER TABLE ... {statement.action} {', '.join(sorted(unknown))}")
    values = dict(_of_table(session.instance, session.duck, table))
    for name, value in statement.options.items():
        if statement.action == "UNSET":
            values.pop(name, None)
        else:
            values[name] = _days(name, value)
    forget(session, table)
    keep(session, table, values)
    return Result.status("Statement executed successfully.")


def retention_days(instance: Instance, duck: duckdb.DuckDBPyConnection, table: TableKey) -> int:
    """How long a stream on ``table`` may be left unread: the larger of retention and its extension, in days."""
    values = _of_table(instance, duck, table)
    return max(values.get(name, parameter.default) for name, parameter in TABLE_PARAMETERS.items())


def _of_table(instance: Instance, duck: duckdb.DuckDBPyConnection, table: TableKey) -> dict[str, int]:
    if not instance.catalog.may_exist(_TABLE_KIND, table[2]):
        return {}
    found = instance.catalog.find(duck, _TABLE_KIND, table)
    return found.definition if found else {}


def _days(name: str, value: Any) -> int:
    text, maximum = str(value), TABLE_PARAMETERS[name].maximum
    if not text.isdigit() or int(text) > maximum:
        raise errors.compilation_error(f"invalid value [{text}] for parameter '{name}'", 1008, "22023")
    return int(text)


# --- SHOW -------------------------------------------------------------------------------------------------------------


def show(session: Session, statement: Show) -> Result:
    """SHOW PARAMETERS [LIKE] [IN SESSION | ACCOUNT | TABLE name], of those that are honoured here."""
    account = account_time_zone(session.instance, session.duck)
    at_account = "ACCOUNT" if account != DEFAULT_TIME_ZONE else ""
    zone = "time zone"
    if statement.scope == "TABLE":
        table = session.resolve(statement.scope_name)
        if not session.instance.has_table(session.duck, table):
            raise errors.does_not_exist("Table", str(statement.scope_name))
        stated = _of_table(session.instance, session.duck, table)
        rows = [
            (name, str(stated.get(name, each.default)), str(each.default), "TABLE" if name in stated else "",
             each.description, "NUMBER")
            for name, each in TABLE_PARAMETERS.items()
        ]  # fmt: skip
    elif statement.scope == "ACCOUNT":
        rows = [
            (name, str(each.default), str(each.default), "", each.description, "NUMBER")
            for name, each in TABLE_PARAMETERS.items()
        ]
        rows.append(("TIMEZONE", account, DEFAULT_TIME_ZONE, at_account, zone, "STRING"))
    else:
        level = "SESSION" if session.time_zone != account else at_account
        commits = str(session.autocommit).lower()
        rows = [
            ("AUTOCOMMIT", commits, "true", "" if session.autocommit else "SESSION", "commit a DML by itself",
             "BOOLEAN"),
            ("TIMEZONE", session.time_zone, DEFAULT_TIME_ZONE, level, zone, "STRING"),
        ]  # fmt: skip
    pattern = like_pattern(statement.like if statement.like is not None else "%")
    columns = ["key", "value", "default", "level", "description", "type"]
    return Result.of(columns, [row for row in rows if pattern.fullmatch(row[0])])
