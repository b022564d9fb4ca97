"""IDENTIFIER(...): a name in a text or a bind variable, put into the statement before it is parsed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlglot.dialects.snowflake import Snowflake
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from . import errors
from .names import name_in, quote

_MARKS = (TokenType.PLACEHOLDER, TokenType.QDCOLON)
_CLOSING = ")"


def resolve(sql: str, binds: Sequence[Any] | None) -> tuple[str, Sequence[Any] | None]:
    """``sql`` with each IDENTIFIER('name') and IDENTIFIER(?) replaced by the name, and the binds that are left.

    Raises:
        SnowflakeError: IDENTIFIER() of anything else.
    """
    if "IDENTIFIER" not in sql.upper():
        return sql, binds
    try:
        tokens = Snowflake().tokenize(sql)
    except TokenError as error:
        raise errors.compilation_error(str(error)) from error
    parts, left, begin, number = [], [], 0, 0
    for index, token in enumerate(tokens):
        if token.token_type in _MARKS:
            if not _is_argument(tokens, index):
                left.append(number)
            number += 1
        elif _is_argument(tokens, index + 2):
            parts += [sql[begin : token.start], _name(tokens[index + 2], binds, number)]
            begin = tokens[index + 3].end + 1
    if not parts:
        return sql, binds
    remaining = [binds[index] for index in left] if binds else None
    return "".join([*parts, sql[begin:]]), remaining or None


def _is_argument(tokens: Sequence[Token], index: int) -> bool:
    """Whether the token at ``index`` is the argument of IDENTIFIER(...)."""
    if index < 2 or index + 1 >= len(tokens) or tokens[index - 1].token_type is not TokenType.L_PAREN:
        return False
    return tokens[index - 2].text.upper() == "IDENTIFIER" and tokens[index + 1].text == _CLOSING


def _name(argument: Token, binds: Sequence[Any] | None, number: int) -> str:
    if argument.token_type is TokenType.STRING:
        text = argument.text
    elif argument.token_type in _MARKS and binds and number < len(binds):
        text = str(binds[number])
    else:
        raise errors.unsupported("IDENTIFIER() of anything but a text or a bind variable")
    return ".".join(map(quote, name_in(text).parts))
