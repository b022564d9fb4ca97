"""Functions whose answer the engine does not know: replaced by their value before the statement is translated."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlglot import exp

from include.local.snowflake import errors, pipes, streams
from include.local.snowflake.fakesnow_adapter import HIDDEN_SCHEMA

if TYPE_CHECKING:
    from include.local.snowflake.session import Session

_HISTORY_COLUMNS = (
    "FILE_NAME", "STAGE_LOCATION", "LAST_LOAD_TIME", "ROW_COUNT", "ROW_PARSED", "FILE_SIZE", "FIRST_ERROR_MESSAGE",
    "FIRST_ERROR_LINE_NUMBER", "FIRST_ERROR_CHARACTER_POS", "FIRST_ERROR_COLUMN_NAME", "ERROR_COUNT", "ERROR_LIMIT",
    "STATUS", "TABLE_CATALOG_NAME", "TABLE_SCHEMA_NAME", "TABLE_NAME", "PIPE_CATALOG_NAME", "PIPE_SCHEMA_NAME",
    "PIPE_NAME", "PIPE_RECEIVED_TIME", "FIRST_COMMIT_TIME",
)  # fmt: skip


def substitute(session: Session, expression: exp.Expr) -> exp.Expr:
    """``expression`` with system functions, session functions and COPY_HISTORY replaced, in place."""
    for node in list(expression.find_all(exp.Func, exp.TableFromRows)):
        if isinstance(node, exp.TableFromRows):
            if (history := _copy_history(session, node)) is not None:
                node.replace(history)
        elif (value := _value(session, node)) is not None:
            node.replace(value)
    return expression


def _value(session: Session, node: exp.Func) -> exp.Expr | None:
    if isinstance(node, exp.Anonymous):
        name = str(node.this).upper()
        if name in _SYSTEM:
            return _SYSTEM[name](session, _text(node, 0))
        if name.startswith("SYSTEM$"):
            raise errors.unsupported(name)
        return None
    answer = _SESSION.get(type(node))
    return None if answer is None else _literal(answer(session))


def _text(node: exp.Func, index: int) -> str:
    if len(node.expressions) <= index or not isinstance(node.expressions[index], exp.Literal):
        raise errors.compilation_error(f"argument {index + 1} of {node.this} needs to be a constant string.", 1015)
    return node.expressions[index].name


def _literal(value: str | None) -> exp.Expr:
    return exp.null() if value is None else exp.Literal.string(value)


_SYSTEM: dict[str, Callable[[Session, str], exp.Expr]] = {
    "SYSTEM$PIPE_STATUS": lambda session, name: _literal(pipes.status(session, name)),
    "SYSTEM$STREAM_HAS_DATA": lambda session, name: exp.convert(streams.has_data(session, name)),
    "SYSTEM$STREAM_GET_TABLE_TIMESTAMP": lambda session, name: exp.convert(streams.table_timestamp(session, name)),
}

_SESSION: dict[type[exp.Expr], Callable[[Session], str | None]] = {
    exp.CurrentDatabase: lambda session: session.database,
    exp.CurrentSchema: lambda session: session.schema,
    exp.CurrentWarehouse: lambda session: session.warehouse,
    exp.CurrentRole: lambda session: session.role,
    exp.CurrentUser: lambda session: session.user,
    exp.CurrentAccount: lambda session: "LOCAL",
    exp.CurrentRegion: lambda session: "AWS_LOCAL",
    exp.CurrentSession: lambda session: str(session.identifier),
}


def _copy_history(session: Session, node: exp.TableFromRows) -> exp.Subquery | None:
    """TABLE(INFORMATION_SCHEMA.COPY_HISTORY(TABLE_NAME => ..., START_TIME => ... [, END_TIME => ...]))."""
    call = node.this.expression if isinstance(node.this, exp.Dot) else node.this
    while isinstance(call, exp.Dot):
        call = call.expression
    if not isinstance(call, exp.Anonymous) or str(call.this).upper() != "COPY_HISTORY":
        return None
    arguments = {
        each.this.name.upper(): each.expression
        for each in call.expressions
        if isinstance(each, exp.Kwarg | exp.PropertyEQ)
    }
    name, start, end = (arguments.get(key) for key in ("TABLE_NAME", "START_TIME", "END_TIME"))
    if not isinstance(name, exp.Literal) or start is None:
        raise errors.compilation_error("COPY_HISTORY needs TABLE_NAME => 'name' and START_TIME => time")
    database, schema, table = session.resolve_text(name.name)
    history = exp.table_("LOAD_HISTORY", db=HIDDEN_SCHEMA, catalog=database)
    for part in ("this", "db", "catalog"):
        history.args[part].set("quoted", True)
    history.args["this"].set("this", "load_history")
    query = exp.select(*_HISTORY_COLUMNS).from_(history)
    query = query.where(exp.EQ(this=exp.column("TABLE_SCHEMA_NAME"), expression=_literal(schema)))
    query = query.where(exp.EQ(this=exp.column("TABLE_NAME"), expression=_literal(table)))
    query = query.where(exp.GTE(this=exp.column("LAST_LOAD_TIME"), expression=_instant(start)))
    if end is not None:
        query = query.where(exp.LTE(this=exp.column("LAST_LOAD_TIME"), expression=_instant(end)))
    alias = node.args.get("alias")
    return query.subquery(alias.this if alias else exp.to_identifier("COPY_HISTORY"))


def _instant(time: exp.Expr) -> exp.Expr:
    return exp.cast(time.copy(), "TIMESTAMPTZ")
