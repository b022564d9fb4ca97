"""Names of columns without an alias: as in Snowflake the text of the expression, in upper case."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from . import errors

_OPENING = (TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE)
_CLOSING = (TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE)
# What can follow the columns of a SELECT.
_ENDS = (
    TokenType.FROM, TokenType.WHERE, TokenType.GROUP_BY, TokenType.HAVING, TokenType.QUALIFY, TokenType.ORDER_BY,
    TokenType.LIMIT, TokenType.FETCH, TokenType.UNION, TokenType.EXCEPT, TokenType.INTERSECT, TokenType.OFFSET,
)  # fmt: skip
_NAMED = (exp.Alias, exp.Aliases, exp.Column, exp.Star)


def name(expression: exp.Expr, sql: str, tokens: Sequence[Token]) -> exp.Expr:
    """Give the columns of a query, and of the queries that it reads from, their names, in place.

    Raises:
        SnowflakeError: 002022, a table or view is created from a column without a name.
    """
    if isinstance(expression, exp.Create):
        _require_names(expression)
    elif isinstance(expression, exp.Query):
        first = _first_select(expression)
        if first is not None and any(not isinstance(each, _NAMED) for each in first.expressions):
            texts = list(_texts(sql, tokens))
            if len(texts) == len(first.expressions):
                _name(first, texts)
        for select in list(expression.find_all(exp.Select)):
            if select is not first and isinstance(select.parent, exp.Subquery | exp.CTE):
                _name(select, [each.sql("snowflake") for each in select.expressions])
    return expression


def _name(select: exp.Select, texts: Sequence[str]) -> None:
    for each, text in zip(list(select.expressions), texts, strict=True):
        # DuckDB takes a bare CURRENT_DATE for the alias of that name, and names it so by itself.
        is_bare = isinstance(each, exp.Func) and text.isidentifier()
        if not isinstance(each, _NAMED) and not is_bare:
            each.replace(exp.alias_(each.copy(), text.upper(), quoted=True))


def _first_select(expression: exp.Expr) -> exp.Select | None:
    """The SELECT that names the columns of a query."""
    while isinstance(expression, exp.SetOperation):
        expression = expression.this
    return expression if isinstance(expression, exp.Select) else None


def _texts(sql: str, tokens: Sequence[Token]) -> Iterator[str]:
    """The text of each column of the first SELECT that is in no parentheses."""
    depth, begin, end, started = 0, -1, -1, False
    for index, token in enumerate(tokens):
        if token.token_type in _OPENING:
            depth += 1
        elif token.token_type in _CLOSING:
            depth -= 1
        if depth == 0 and not started:
            started = token.token_type is TokenType.SELECT
            continue
        if not started or (begin < 0 and token.token_type in (TokenType.DISTINCT, TokenType.ALL)):
            continue
        is_end = token.token_type in _ENDS and tokens[index - 1].token_type is not TokenType.DISTINCT
        if depth == 0 and (is_end or token.token_type is TokenType.COMMA):
            yield sql[begin:end]
            begin = -1
            if is_end:
                return
        else:
            begin, end = (token.start if begin < 0 else begin), token.end + 1
    if begin >= 0:
        yield sql[begin:end]


def _require_names(expression: exp.Create) -> None:
    query = expression.expression
    if not isinstance(query, exp.Query) or isinstance(expression.this, exp.Schema):
        return
    first = _first_select(query)
    if first is not None and any(not isinstance(each, _NAMED) for each in first.expressions):
        raise errors.compilation_error("Missing column specification", 2022, "42601")
