"""Parameters: ALTER ACCOUNT, ALTER SESSION and ALTER TABLE ... SET, and SHOW PARAMETERS."""

from __future__ import annotations

from sqlglot import exp

from . import engine, errors
from . import parameter_values as values
from .catalog import ACCOUNT
from .context import Context
from .grammar import Alter, Show
from .parameter_values import DEFAULT_STATEMENT_TIMEOUT, DEFAULT_TIME_ZONE, STATEMENT_TIMEOUT, TABLE_PARAMETERS
from .results import Result

# key, value, default, level, description and type, as SHOW PARAMETERS lists them
_Row = tuple[str, str, str, str, str, str]


# What a CREATE may have beside parameters; sqlglot knows others, which would be forgotten.
_PROPERTIES = (
    exp.ClusterProperty, exp.CopyGrantsProperty, exp.GlobalProperty, exp.LikeProperty, exp.SchemaCommentProperty,
    exp.SecureProperty, exp.SequenceProperties, exp.TemporaryProperty, exp.TransientProperty,
)  # fmt: skip


# --- the account ------------------------------------------------------------------------------------------------------


def alter_account(context: Context, statement: Alter) -> Result:
    """ALTER ACCOUNT SET | UNSET TIMEZONE (for sessions that begin from now on) and STATEMENT_TIMEOUT_IN_SECONDS."""
    if unknown := set(statement.options) - {"TIMEZONE", STATEMENT_TIMEOUT}:
        raise errors.unsupported(f"ALTER ACCOUNT {statement.action} {', '.join(sorted(unknown))}")
    unset = statement.action == "UNSET"
    if STATEMENT_TIMEOUT in statement.options:
        seconds = None if unset else values.timeout_seconds(statement.options[STATEMENT_TIMEOUT])
        values.keep_account_statement_timeout(context.catalog, context.duck, seconds)
    if "TIMEZONE" in statement.options:
        name = None if unset else str(statement.options["TIMEZONE"])
        if name is not None:
            with context.instance.cursor() as side:
                values.set_time_zone(side, name)  # it raises where there is no such zone
        values.keep_account_time_zone(context.catalog, context.duck, name)
    return Result.status("Statement executed successfully.")


# --- a session --------------------------------------------------------------------------------------------------------


def alter_session(context: Context, expression: exp.Alter) -> Result:
    """ALTER SESSION SET | UNSET."""
    action = expression.find(exp.AlterSession)
    if action is None:
        raise errors.unsupported("ALTER SESSION of anything but parameters")
    for item in action.expressions:
        if action.args.get("unset"):
            _unset(context, item.this.name.upper())
        else:
            _set(context, item.this.left.name.upper(), item.this.right)
    return Result.status("Statement executed successfully.")


def _set(context: Context, name: str, value: exp.Expr) -> None:
    if name == "AUTOCOMMIT":
        context.transaction.set_autocommit(values.switch(name, value.name or value.sql()))
    elif name == "TIMEZONE":
        context.set_time_zone(value.name)
    elif name == "QUERY_TAG":
        context.query_tag = value.name
    elif name == STATEMENT_TIMEOUT:
        context.statement_timeout = values.timeout_seconds(value.name)
    elif name == "ERROR_ON_NONDETERMINISTIC_MERGE":
        if value.sql().upper() != "TRUE":
            raise errors.unsupported("ERROR_ON_NONDETERMINISTIC_MERGE = FALSE")
    elif name not in values.IGNORED:
        raise errors.unsupported(f"ALTER SESSION SET {name}")


def _unset(context: Context, name: str) -> None:
    if name == "AUTOCOMMIT":
        context.transaction.set_autocommit(True)
    elif name == "TIMEZONE":
        context.set_time_zone(values.account_time_zone(context.catalog, context.duck))
    elif name == "QUERY_TAG":
        context.query_tag = ""
    elif name == STATEMENT_TIMEOUT:
        context.statement_timeout = None
    elif name not in values.IGNORED:
        raise errors.unsupported(f"ALTER SESSION UNSET {name}")


# --- a table ----------------------------------------------------------------------------------------------------------


def take_from(expression: exp.Create) -> dict[str, int]:
    """Take a CREATE's table parameters out of it, in place, and check them.

    Raises:
        SnowflakeError: a value out of range, or a property that can't be honoured.
    """
    taken: dict[str, int] = {}
    properties = expression.args.get("properties")
    for each in list(properties.expressions) if properties else []:
        if isinstance(each, exp.TransientProperty) and expression.kind == "TABLE":
            taken[values.TRANSIENT] = 1
        if isinstance(each, _PROPERTIES):
            continue
        if type(each) is not exp.Property:
            raise errors.unsupported(f"CREATE {expression.kind} ... {each.sql('snowflake')[:60]}")
        name = each.this.name.upper()
        if expression.kind != "TABLE" or name not in TABLE_PARAMETERS:
            raise errors.unsupported(f"CREATE {expression.kind} ... {name}")
        taken[name] = values.days(name, each.args["value"].name)
        each.pop()
    return taken


def alter_table(context: Context, statement: Alter) -> Result:
    """ALTER TABLE ... SET | UNSET of table parameters, in the session's transaction."""
    table = context.resolve(statement.name)
    if not engine.has_table(context.duck, table):
        if statement.if_exists:
            return Result.status("Statement executed successfully.")
        raise errors.does_not_exist("Table", str(statement.name))
    if unknown := set(statement.options) - set(TABLE_PARAMETERS):
        raise errors.unsupported(f"ALTER TABLE ... {statement.action} {', '.join(sorted(unknown))}")
    stated = dict(values.of_table(context.catalog, context.duck, table))
    for name, value in statement.options.items():
        if statement.action == "UNSET":
            stated.pop(name, None)
        else:
            stated[name] = values.days(name, value)
    values.keep(context.catalog, context.duck, table, stated)
    return Result.status("Statement executed successfully.")


# --- SHOW -------------------------------------------------------------------------------------------------------------


def show(context: Context, statement: Show) -> Result:
    """SHOW PARAMETERS [LIKE] [IN SESSION | ACCOUNT | WAREHOUSE name | TABLE name]: those that are honoured here."""
    match statement.scope:
        case "TABLE":
            rows = _of_table(context, statement)
        case "WAREHOUSE":
            rows = _of_warehouse(context, statement)
        case "ACCOUNT":
            rows = _of_account(context)
        case _:
            rows = _of_session(context)
    columns = ["key", "value", "default", "level", "description", "type"]
    return Result.of(columns, [row for row in rows if statement.matches(row[0])])


def _of_table(context: Context, statement: Show) -> list[_Row]:
    if statement.scope_name is None:
        raise errors.compilation_error("SHOW PARAMETERS IN TABLE needs a name.")
    table = context.resolve(statement.scope_name)
    if not engine.has_table(context.duck, table):
        raise errors.does_not_exist("Table", str(statement.scope_name))
    stated = values.of_table(context.catalog, context.duck, table)
    return [
        (name, str(stated.get(name, each.default)), str(each.default), "TABLE" if name in stated else "",
         each.description, "NUMBER")
        for name, each in TABLE_PARAMETERS.items()
    ]  # fmt: skip


def _of_warehouse(context: Context, statement: Show) -> list[_Row]:
    name = statement.scope_name.last if statement.scope_name else context.warehouse
    found = context.catalog.find(context.duck, "WAREHOUSE", (*ACCOUNT, name)) if name else None
    if found is None:
        raise errors.does_not_exist("Warehouse", str(name))
    queued = found.definition.get(values.QUEUED_TIMEOUT)
    description = "seconds after which a statement that waits for the warehouse is canceled; 0 is never"
    return [
        (values.QUEUED_TIMEOUT, str(queued or 0), "0", "" if queued is None else "WAREHOUSE", description, "NUMBER"),
        _timeout(context, context.catalog.statement_timeout("WAREHOUSE", found.name), "WAREHOUSE"),
    ]


def _of_account(context: Context) -> list[_Row]:
    zone = values.account_time_zone(context.catalog, context.duck)
    return [
        *(
            (name, str(each.default), str(each.default), "", each.description, "NUMBER")
            for name, each in TABLE_PARAMETERS.items()
        ),
        _timeout(context, None, ""),
        ("TIMEZONE", zone, DEFAULT_TIME_ZONE, _account_level(zone), "time zone", "STRING"),
    ]


def _of_session(context: Context) -> list[_Row]:
    autocommit, account_zone = context.transaction.autocommit, values.account_time_zone(context.catalog, context.duck)
    level = "SESSION" if context.time_zone != account_zone else _account_level(account_zone)
    return [
        ("AUTOCOMMIT", str(autocommit).lower(), "true", "" if autocommit else "SESSION", "commit a DML by itself",
         "BOOLEAN"),
        ("QUERY_TAG", context.query_tag, "", "SESSION" if context.query_tag else "", "text kept with each statement",
         "STRING"),
        _session_timeout(context),
        ("TIMEZONE", context.time_zone, DEFAULT_TIME_ZONE, level, "time zone", "STRING"),
    ]  # fmt: skip


def _session_timeout(context: Context) -> _Row:
    if context.statement_timeout is not None:
        return _timeout(context, context.statement_timeout, "SESSION")
    return _timeout(context, context.catalog.statement_timeout("USER", context.user), "USER")


def _timeout(context: Context, stated: int | None, level: str) -> _Row:
    """The row of the statement timeout: as ``stated`` at ``level``, else the account's."""
    if stated is None:
        stated, level = values.account_statement_timeout(context.catalog), "ACCOUNT"
    shown, level = (DEFAULT_STATEMENT_TIMEOUT, "") if stated is None else (stated, level)
    description = "seconds after which a running statement is canceled; 0 is a week"
    return (STATEMENT_TIMEOUT, str(shown), str(DEFAULT_STATEMENT_TIMEOUT), level, description, "NUMBER")


def _account_level(zone: str) -> str:
    return "ACCOUNT" if zone != DEFAULT_TIME_ZONE else ""
