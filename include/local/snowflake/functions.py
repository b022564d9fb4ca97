"""Functions that DuckDB can't answer: replaced by their value before a statement is translated."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.dialects.snowflake import Snowflake

from . import cancelling, errors, load_history, metering_history, pipes, query_history, streams, tags
from .context import Context

Node = TypeVar("Node", bound=exp.Expr)


def substitute(context: Context, expression: Node, *, formats: bool = True) -> Node:
    """Replace system functions, session functions and our table functions in ``expression``, in place.

    Args:
        formats: replace TO_CHAR with a format too, by a function of DuckDB's: not in a part of a statement that will be
            substituted as a whole, where that function would be an unknown one.

    Raises:
        SnowflakeError: 002140 or 002143, a function that Snowflake does not have; 001003, a file in a table's place.
    """
    for node in list(expression.find_all(exp.Func, exp.Table, exp.Lateral, exp.TableFromRows)):
        if isinstance(node, exp.TableFromRows):
            if (query := _table_function(context, node)) is not None:
                node.replace(query)
        elif isinstance(node, exp.Table | exp.Lateral):
            _check_source(node)
        elif isinstance(node, exp.ToChar) and node.args.get("format"):
            if formats:
                node.replace(_formatted(node))
        elif isinstance(node, exp.Func) and (value := _value(context, node)) is not None:
            node.replace(value)
    return expression


def is_momentary(expression: exp.Expr) -> bool:
    """Whether the values that ``substitute`` puts into ``expression`` are valid only now, or only in this session."""
    if expression.find(exp.TableFromRows, exp.CurrentSession, exp.CurrentAvailableRoles, exp.CurrentSecondaryRoles):
        return True
    return any(str(node.this).upper() in _SYSTEM for node in expression.find_all(exp.Anonymous))


def _value(context: Context, node: exp.Func) -> exp.Expr | None:
    if isinstance(node, exp.Anonymous):
        name = str(node.this).upper()
        if name in _SYSTEM:
            return _SYSTEM[name](context, node)
        if name.startswith("SYSTEM$"):
            raise errors.unsupported(name)
        if name in _of_duckdb_only():
            raise errors.unknown_function(name)
        return None
    if isinstance(node, exp.Generator) and not node.args.get("rowcount"):
        raise errors.unsupported("GENERATOR without ROWCOUNT")
    answer = _SESSION.get(type(node))
    return None if answer is None else _literal(answer(context))


def _text(node: exp.Func, index: int) -> str:
    if len(node.expressions) <= index or not isinstance(node.expressions[index], exp.Literal):
        raise errors.compilation_error(f"argument {index + 1} of {node.this} needs to be a constant string.", 1015)
    return str(node.expressions[index].name)


def _number(node: exp.Func, default: int) -> int:
    """The only argument of a function: a constant, possibly negative."""
    if not node.expressions:
        return default
    text = node.expressions[0].sql("snowflake")
    if not text.lstrip("-").isdigit() or int(text) == 0:
        raise errors.compilation_error(f"argument 1 of {node.this} needs to be a constant number that is not 0.", 1015)
    return int(text)


def _literal(value: str | None) -> exp.Expr:
    return exp.null() if value is None else exp.Literal.string(value)


def _formatted(node: exp.ToChar) -> exp.Expr:
    """TO_CHAR or TO_VARCHAR of a time with a format, which fakesnow would silently ignore."""
    text, position, pattern = node.args["format"].name, 0, ""
    while position < len(text):
        rest = text[position:]
        token = next((token for token in _TIME_FORMAT if rest.upper().startswith(token)), None)
        if token:
            pattern += _TIME_FORMAT[token]
        elif rest[0] == '"' and '"' in rest[1:]:
            token = rest[: rest.index('"', 1) + 1]
            pattern += token[1:-1].replace("%", "%%")
        elif rest[0].isalnum() or rest[0] == "$":
            raise errors.unsupported(f"the format '{text}' of TO_CHAR")
        else:
            token = rest[0]
            pattern += token.replace("%", "%%")
        position += len(token)
    return exp.Anonymous(this="STRFTIME", expressions=[node.this, exp.Literal.string(pattern)])


# Where one begins with another, the longer comes first.
_TIME_FORMAT = {
    "YYYY": "%Y", "YY": "%y", "MON": "%b", "MMMM": "%B", "MM": "%m", "DD": "%d", "DY": "%a", "HH24": "%H",
    "HH12": "%I", "AM": "%p", "PM": "%p", "MI": "%M", "SS": "%S", ".FF6": ".%f", ".FF3": ".%g", ".FF9": ".%n",
}  # fmt: skip

_SYSTEM: dict[str, Callable[[Context, exp.Anonymous], exp.Expr]] = {
    "IS_ROLE_IN_SESSION": lambda context, call: exp.convert(_text(call, 0).upper() in context.active_roles),
    "GETVARIABLE": lambda context, call: _variable(context, _text(call, 0)),
    "LAST_QUERY_ID": lambda context, call: _literal(context.earlier_query(_number(call, -1))),
    "SYSTEM$ABORT_SESSION": lambda context, call: _literal(cancelling.abort_session(context, _text(call, 0))),
    "SYSTEM$CANCEL_ALL_QUERIES": lambda context, call: _literal(cancelling.cancel_all(context, _text(call, 0))),
    "SYSTEM$CANCEL_QUERY": lambda context, call: _literal(cancelling.cancel(context, _text(call, 0))),
    "SYSTEM$GET_TAG": lambda context, call: _literal(
        tags.get_tag(context, _text(call, 0), _text(call, 1), _text(call, 2))
    ),
    "SYSTEM$PIPE_FORCE_RESUME": lambda context, call: _literal(pipes.force_resume(context, _text(call, 0))),
    "SYSTEM$PIPE_STATUS": lambda context, call: _literal(pipes.status(context, _text(call, 0))),
    "SYSTEM$STREAM_HAS_DATA": lambda context, call: exp.convert(streams.has_data(context, _text(call, 0))),
    "SYSTEM$STREAM_GET_TABLE_TIMESTAMP": lambda context, call: exp.convert(
        streams.table_timestamp(context, _text(call, 0))
    ),
    "SYSTEM$WAIT": lambda context, call: _literal(
        cancelling.wait(context, _text(call, 0), _text(call, 1) if len(call.expressions) > 1 else "SECONDS")
    ),
}

_SESSION: dict[type[exp.Expr], Callable[[Context], str | None]] = {
    exp.CurrentDatabase: lambda context: context.database,
    exp.CurrentSchema: lambda context: context.schema,
    exp.CurrentWarehouse: lambda context: context.warehouse,
    exp.CurrentRole: lambda context: context.role,
    exp.CurrentAvailableRoles: lambda context: json.dumps(sorted(context.grants.roles_of_user(context.user))),
    exp.CurrentSecondaryRoles: lambda context: _secondary_roles(context),
    exp.CurrentUser: lambda context: context.user,
    exp.CurrentAccount: lambda context: "LOCAL",
    exp.CurrentRegion: lambda context: "AWS_LOCAL",
    exp.CurrentSession: lambda context: str(context.identifier),
}


def _secondary_roles(context: Context) -> str:
    active = context.active_roles - context.primary_roles
    value = "" if context.secondary_roles == ("NONE",) else ",".join(context.secondary_roles)
    return json.dumps({"roles": ",".join(sorted(active)), "value": value})


def _variable(context: Context, name: str) -> exp.Expr:
    """The value of a variable as a text, as Snowflake returns it; NULL where there is none."""
    value = context.variables.find(name)
    return exp.null() if value is None else _literal(sqlglot.parse_one(value, read="snowflake").name)


_TABLE: dict[str, Callable[[Context, Mapping[str, exp.Expr], Sequence[exp.Expr]], exp.Select]] = {
    "COPY_HISTORY": load_history.copy_history,
    "LOCAL_METER": metering_history.local_meter,
    "PIPE_USAGE_HISTORY": metering_history.pipe_usage,
    "QUERY_HISTORY": query_history.all_queries,
    "QUERY_HISTORY_BY_SESSION": query_history.by_session,
    "QUERY_HISTORY_BY_USER": query_history.by_user,
    "QUERY_HISTORY_BY_WAREHOUSE": query_history.by_warehouse,
    "RESULT_SCAN": query_history.refuse_result_scan,
    "VALIDATE": load_history.validate,
    "VALIDATE_PIPE_LOAD": load_history.validate_pipe_load,
    "WAREHOUSE_METERING_HISTORY": metering_history.warehouse_metering,
}


def _table_function(context: Context, node: exp.TableFromRows) -> exp.Subquery | None:
    """The query for TABLE(INFORMATION_SCHEMA.name(...)), or None where it is one that fakesnow translates."""
    call = node.this
    if isinstance(call, _TRANSLATED):
        return None
    while isinstance(call, exp.Dot):
        call = call.expression
    if not isinstance(call, exp.Anonymous):
        raise errors.unsupported("TABLE(...) of anything but a table function")
    name = str(call.this).upper()
    if name not in _TABLE:
        if isinstance(node.this, exp.Dot) or name in _NOT_HERE:
            raise errors.unsupported(f"the table function {name}")
        raise errors.compilation_error(f"Unknown user-defined table function {name}", 2143, "42601")
    named = {
        each.this.name.upper(): each.expression
        for each in call.expressions
        if isinstance(each, exp.Kwarg | exp.PropertyEQ)
    }
    positional = [each for each in call.expressions if not isinstance(each, exp.Kwarg | exp.PropertyEQ)]
    alias = node.args.get("alias")
    return _TABLE[name](context, named, positional).subquery(alias.this if alias else exp.to_identifier(name))


# --- what only DuckDB has ---------------------------------------------------------------------------------------------

# Table functions of Snowflake's that fakesnow translates.
_TRANSLATED = (exp.Explode, exp.Generator, exp.SplitToTable)
# Those that are missing here, beside the ones of INFORMATION_SCHEMA.
_NOT_HERE = ("GETNEXTVAL", "INFER_SCHEMA", "STRTOK_SPLIT_TO_TABLE")
# Functions that Snowflake has too, although sqlglot's parser does not know their names.  Names are compared, not
# classes: one that it knows may still come as Anonymous, such as TRUNC with one argument.
_OF_BOTH = {"HASH"}


def _check_source(node: exp.Table | exp.Lateral) -> None:
    """Refuse what is no table, stage, subquery or table function of Snowflake's: DuckDB also reads files, and more."""
    source = node.this  # None where it is a schema or database
    if source is None or isinstance(source, (exp.Identifier, exp.Query, *_TRANSLATED)):
        return
    if not (isinstance(source, exp.Var) and source.name.startswith("@")):
        unexpected = source.sql("snowflake") if isinstance(source, exp.Literal) else "("
        raise errors.compilation_error(f"syntax error unexpected '{unexpected}'.")


@functools.cache
def _of_duckdb_only() -> frozenset[str]:
    """DuckDB's functions: some read settings and sequences whatever the session's roles may see."""
    with duckdb.connect() as duck:
        names = duck.execute("SELECT DISTINCT upper(function_name) FROM duckdb_functions()").fetchall()
    known = _OF_BOTH | set(Snowflake.parser_class.FUNCTIONS)
    return frozenset(name for (name,) in names if name not in known and not name.startswith("ST_"))
