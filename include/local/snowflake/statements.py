"""Parses a statement: by our own grammar where that knows it, else by sqlglot."""

from __future__ import annotations

import functools

import sqlglot
from sqlglot import exp
from sqlglot.dialects.snowflake import Snowflake
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import TokenType

from . import errors, grammar

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
    ours = grammar.parse(sql, tokens)
    if ours is not None:
        return ours
    words = [token.text.upper() for token in tokens[:2]]
    if words[0] in ("BEGIN", "START") and (len(words) == 1 or words[1] in ("TRANSACTION", "WORK", "NAME")):
        return exp.Transaction()
    if words[0] == "BEGIN":
        raise errors.unsupported("Snowflake Scripting")
    try:
        return sqlglot.parse_one(sql[tokens[0].start : tokens[-1].end + 1], read="snowflake")
    except ParseError as error:
        detail = error.errors[0] if error.errors else {}
        raise errors.compilation_error(
            f"syntax error line {detail.get('line', 1)} at position {detail.get('col', 0)} "
            f"unexpected '{detail.get('highlight', '')}'."
        ) from error
