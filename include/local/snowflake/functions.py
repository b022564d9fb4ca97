"""Functions whose answer the engine does not know: replaced by their value before the statement is translated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from . import errors, load_history, pipes, streams

if TYPE_CHECKING:
    from .session import Session


def substitute(session: Session, expression: exp.Expr) -> exp.Expr:
    """``expression`` with system functions, session functions and our table functions replaced, in place."""
    for node in list(expression.find_all(exp.Func, exp.TableFromRows)):
        if isinstance(node, exp.TableFromRows):
            if (query := _table_function(session, node)) is not None:
                node.replace(query)
        elif (value := _value(session, node)) is not None:
            node.replace(value)
    return expression


def tells_of_the_moment(expression: exp.Expr) -> bool:
    """Whether what ``substitute`` puts into ``expression`` holds only now, or only for this session."""
    if expression.find(exp.TableFromRows, exp.CurrentSession):
        return True
    return any(str(node.this).upper() in _SYSTEM for node in expression.find_all(exp.Anonymous))


def _value(session: Session, node: exp.Func) -> exp.Expr | None:
    if isinstance(node, exp.Anonymous):
        name = str(node.this).upper()
        if name in _SYSTEM:
            return _SYSTEM[name](session, _text(node, 0))
        if name.startswith("SYSTEM$"):
            raise errors.unsupported(name)
        return None
    if isinstance(node, exp.ToChar) and node.args.get("format"):
        return _formatted(node)
    answer = _SESSION.get(type(node))
    return None if answer is None else _literal(answer(session))


def _text(node: exp.Func, index: int) -> str:
    if len(node.expressions) <= index or not isinstance(node.expressions[index], exp.Literal):
        raise errors.compilation_error(f"argument {index + 1} of {node.this} needs to be a constant string.", 1015)
    return node.expressions[index].name


def _literal(value: str | None) -> exp.Expr:
    return exp.null() if value is None else exp.Literal.string(value)


def _formatted(node: exp.ToChar) -> exp.Expr:
    """TO_CHAR or TO_VARCHAR of a time with a format, which fakesnow would drop without a word."""
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


# Longest first, where one begins with another.
_TIME_FORMAT = {
    "YYYY": "%Y", "YY": "%y", "MON": "%b", "MMMM": "%B", "MM": "%m", "DD": "%d", "DY": "%a", "HH24": "%H",
    "HH12": "%I", "AM": "%p", "PM": "%p", "MI": "%M", "SS": "%S", ".FF6": ".%f", ".FF3": ".%g", ".FF9": ".%n",
}  # fmt: skip

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


_TABLE: dict[str, Callable[[Session, Mapping[str, exp.Expr], Sequence[exp.Expr]], exp.Select]] = {
    "COPY_HISTORY": load_history.copy_history,
    "VALIDATE": load_history.validate,
    "VALIDATE_PIPE_LOAD": load_history.validate_pipe_load,
}


def _table_function(session: Session, node: exp.TableFromRows) -> exp.Subquery | None:
    """TABLE(INFORMATION_SCHEMA.name(...)) as a query, where it is one of ours."""
    call = node.this
    while isinstance(call, exp.Dot):
        call = call.expression
    name = str(call.this).upper() if isinstance(call, exp.Anonymous) else ""
    if name not in _TABLE:
        return None
    named = {
        each.this.name.upper(): each.expression
        for each in call.expressions
        if isinstance(each, exp.Kwarg | exp.PropertyEQ)
    }
    positional = [each for each in call.expressions if not isinstance(each, exp.Kwarg | exp.PropertyEQ)]
    alias = node.args.get("alias")
    return _TABLE[name](session, named, positional).subquery(alias.this if alias else exp.to_identifier(name))
