"""Parses a statement: by our own grammar where that knows it, else by sqlglot."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import sqlglot
from sqlglot import exp
from sqlglot.dialects.snowflake import Snowflake
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from . import column_names, errors, grammar, keywords

Statement = grammar.Statement | exp.Expr


@functools.lru_cache(maxsize=256)
def parse(sql: str) -> Statement:
    """Parse one statement.  The result is shared: copy it before changing it.

    Raises:
        SnowflakeError: a syntax error, no statement, or more than one.
    """
    try:
        tokens = Snowflake().tokenize(sql)
    except TokenError as error:
        raise errors.compilation_error(str(error)) from error
    while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        tokens.pop()
    if not tokens:
        raise errors.SnowflakeError("Empty SQL statement.", 900, "42601")
    if any(token.token_type is TokenType.SEMICOLON for token in tokens):
        count = 1 + sum(token.token_type is TokenType.SEMICOLON for token in tokens)
        raise errors.SnowflakeError(
            f"Actual statement count {count} did not match the desired statement count 1.", 8, "0A000"
        )
    if tokens[0].text.upper() == "CALL" and len(tokens) > 1 and tokens[1].text.upper().startswith("SYSTEM$"):
        # sqlglot takes what follows CALL for one text.  The result is that of a SELECT, with the function's name.
        call = tokens[1].text
        return parse(f'SELECT {call} AS "{call.partition("(")[0].strip().upper()}"')
    if any(token.text == "->>" for token in tokens if token.token_type is not TokenType.STRING):
        raise errors.unsupported("the flow operator ->>")
    ours = grammar.parse(sql, tokens)
    if ours is not None:
        return ours
    words = [token.text.upper() for token in tokens[:2]]
    if words[0] in ("BEGIN", "START") and (len(words) == 1 or words[1] in ("TRANSACTION", "WORK", "NAME")):
        return exp.Transaction()
    if words[0] == "BEGIN":
        raise errors.unsupported("Snowflake Scripting")
    try:
        expression = sqlglot.parse_one(_numbered(sql, tokens), read="snowflake")
    except ParseError as error:
        detail = error.errors[0] if error.errors else {}
        raise errors.compilation_error(
            f"syntax error line {detail.get('line', 1)} at position {detail.get('col', 0)} "
            f"unexpected '{detail.get('highlight', '')}'."
        ) from error

    # sqlglot reads words that begin no statement as an expression, and an UPDATE without SET.
    if isinstance(expression, exp.Condition | exp.Alias) and words[0] != "UNSET":
        raise _unexpected(tokens[0])
    if isinstance(expression, exp.Update) and not expression.expressions:
        raise _unexpected(tokens[-1])
    keywords.check(expression)
    return column_names.name(expression, sql, tokens)


def _unexpected(token: Token) -> errors.SnowflakeError:
    position = f"line {token.line} at position {token.col - len(token.text)}"
    return errors.compilation_error(f"syntax error {position} unexpected '{token.text}'.")


def _numbered(sql: str, tokens: Sequence[Token]) -> str:
    """Return the statement with its n-th ``?`` as ``:n``: a translation may repeat or reorder them."""
    parts, begin = [], tokens[0].start
    # sqlglot takes ?:: for an operator of another dialect.
    marks = (token for token in tokens if token.token_type in (TokenType.PLACEHOLDER, TokenType.QDCOLON))
    for number, mark in enumerate(marks, start=1):
        parts.append(f"{sql[begin : mark.start]}:{number}")
        begin = mark.start + 1
    return "".join([*parts, sql[begin : tokens[-1].end + 1]])
