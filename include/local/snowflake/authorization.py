"""Every statement passes here: what the session's roles may not do is refused, and what it creates gets an owner."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import pyarrow as pa
from sqlglot import exp

from . import errors, grammar, letter_case, needs, ownership, policy_grammar, table_listing, view_texts
from .context import Context
from .needs import Need, Needs
from .privileges import OWNERSHIP, THE_ACCOUNT, USAGE, Securable
from .results import Result
from .statements import Statement


def run(context: Context, sql: str, statement: Statement, execute: Callable[[], Result]) -> Result:
    """Run ``execute``, which runs ``statement``, if the session's roles may.

    Raises:
        SnowflakeError: 002003, an object does not exist for these roles; 003001, they may not do this with it; 000606,
            there is no warehouse that they may use.
    """
    needed = _needs(context, sql, statement)
    if needed is None:
        dropped = isinstance(statement, exp.Drop | grammar.Drop)
        return Result.status("Drop statement executed successfully." if dropped else "Statement executed successfully.")
    if needed.warehouse:
        context.run_on_warehouse()
    change = ownership.change_of(context, statement)
    result = execute()
    if isinstance(statement, exp.Show):
        return _seen(context, statement, table_listing.completed(context, result))
    if change is not None:
        change(context)
    if isinstance(statement, exp.Create | exp.Drop | exp.Alter):
        context.note_tables()
    return result


def check(context: Context, needed: Needs) -> None:
    """Raise what ``run`` raises, where the session's roles lack something of ``needed``."""
    for need in needed.privileges:
        _require(context, need)
    if needed.warehouse and not _has_warehouse(context):
        raise errors.SnowflakeError(
            "No active warehouse selected in the current session.  Select an active warehouse with the 'use warehouse'"
            " command.", 606, "57P03",
        )  # fmt: skip


def _needs(context: Context, sql: str, statement: Statement) -> Needs | None:
    """What ``statement`` needs, checked, and its names; None where it is about an object that counts as missing.

    The decision is kept: a client sends the same texts again and again.
    """

    def decide() -> Needs | None:
        if isinstance(statement, exp.Expr):
            letter_case.check(context, statement)
        needed = needs.of_statement(context, statement)
        try:
            check(context, needed)
        except errors.SnowflakeError as error:
            if needed.if_exists and error.errno == 2003:
                return None
            raise
        return needed

    # Which policy is taken off may be another the next time.
    keep = not isinstance(statement, policy_grammar.SetMasking)
    return context.instance.decisions.get(_key(context, sql), decide, keep=lambda: keep)


def _key(context: Context, sql: str) -> Hashable:
    return (
        sql, context.grants.version, context.user, context.role, context.secondary_roles, context.database,
        context.schema, context.warehouse, context.temporary_tables,
    )  # fmt: skip


def _require(context: Context, need: Need) -> None:
    if ownership.is_hidden(need.on):
        raise errors.does_not_exist("Object", need.on.name)
    for container in need.on.containers:
        held = context.held(container)
        if not held:
            raise errors.does_not_exist(container.kind, container.key[-1])
        if USAGE not in held and OWNERSHIP not in held:
            raise errors.insufficient(container.kind, container.name)
    on = need.on
    held = context.held(on)
    enough = context.grants.held(context.primary_roles, on) if need.of_primary_role else held
    if OWNERSHIP in enough or need.any_of & enough or (held and not need.any_of):
        return
    if held or on == THE_ACCOUNT:
        raise errors.insufficient(on.kind, on.name)
    raise errors.does_not_exist(on.kind if len(on.key) < 3 else "Object", on.name)


def _has_warehouse(context: Context) -> bool:
    if context.warehouse is None:
        return False
    warehouse = Securable("WAREHOUSE", (context.warehouse,))
    return bool({USAGE, OWNERSHIP} & context.held(warehouse)) and ownership.exists(context, warehouse)


def _seen(context: Context, statement: exp.Show, result: Result) -> Result:
    """The rows of a SHOW that the session may see, with their owners."""
    names = [name for name, _ in result.types]
    columns = _SHOWN.get(statement.name, ("database_name", "schema_name", "name"))
    if not set(columns) <= set(names):
        return result
    table = result.table
    keys = zip(*(table.column(names.index(column)).to_pylist() for column in columns), strict=True)
    kind = {1: "DATABASE", 2: "SCHEMA", 3: "TABLE"}[len(columns)]
    rows = [_recorded(context, kind, key) for key in keys]
    if "owner" in names:
        index = names.index("owner")
        owners = pa.array([context.grants.owner(on) for on in rows], pa.string())
        table = table.set_column(index, table.column_names[index], owners)
    if statement.name == "VIEWS":
        table = _secured(context, table, names, rows)
    seen = pa.array([context.sees(on) for on in rows], pa.bool_())
    return Result(table.filter(seen), result.types, result.statement_type)


def _secured(context: Context, table: pa.Table, names: list[str], rows: list[Securable]) -> pa.Table:
    """SHOW VIEWS as the session may see it: which views are secure, and no text of one that it does not own."""
    keys = [(on.key[0], on.key[1], on.key[2]) for on in rows]
    shown = zip(keys, table.column(names.index("text")).to_pylist(), strict=True)
    texts = ["" if view_texts.hides_text(context, key) else text for key, text in shown]
    secure = [view_texts.is_secure(context, key) for key in keys]
    for name, values in (("text", pa.array(texts, pa.string())), ("is_secure", pa.array(secure, pa.bool_()))):
        index = names.index(name)
        table = table.set_column(index, table.column_names[index], values)
    return table


def _recorded(context: Context, kind: str, key: tuple[str, ...]) -> Securable:
    """A row of SHOW TABLES or SHOW COLUMNS may be a view."""
    view = Securable("VIEW", key)
    return view if kind == "TABLE" and context.grants.is_recorded(view) else Securable(kind, key)


# The columns of a SHOW that name an object.
_SHOWN = {
    "DATABASES": ("name",),
    "SCHEMAS": ("database_name", "name"),
    "COLUMNS": ("database_name", "schema_name", "table_name"),
}
