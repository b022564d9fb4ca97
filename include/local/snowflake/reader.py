"""Reads a statement word by word: the part of a parser that does not depend on the grammar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlglot.tokenizer_core import Token, TokenType

from .errors import SnowflakeError, compilation_error
from .keywords import RESERVED
from .names import Name

Options = dict[str, Any]


class Reader:
    """A position in a statement; the methods read on from it, or raise Snowflake's syntax error."""

    def __init__(self, sql: str, tokens: Sequence[Token]) -> None:
        self.sql = sql
        # sqlglot's tokenizer makes one token of some pairs of words ("FILE FORMAT"): here each word is a token.
        self.tokens = [word for token in tokens for word in _words(token)]
        self.position = 0

    def peek(self, ahead: int = 0) -> str:
        index = self.position + ahead
        if index >= len(self.tokens) or self.tokens[index].token_type in (TokenType.STRING, TokenType.IDENTIFIER):
            return ""
        return self.tokens[index].text.upper()

    def accept(self, *words: str) -> bool:
        if all(self.peek(ahead) == word for ahead, word in enumerate(words)):
            self.position += len(words)
            return True
        return False

    def expect(self, *words: str) -> None:
        if not self.accept(*words):
            raise self.error()

    def error(self) -> SnowflakeError:
        if self.position >= len(self.tokens):
            return compilation_error("syntax error: unexpected end of statement.")
        token = self.tokens[self.position]
        return compilation_error(f"syntax error line {token.line} at position {token.col} unexpected '{token.text}'.")

    def at_end(self) -> bool:
        return self.position >= len(self.tokens)

    def end(self) -> None:
        if not self.at_end():
            raise self.error()

    def next(self) -> Token:
        if self.at_end():
            raise self.error()
        self.position += 1
        return self.tokens[self.position - 1]

    def rest(self) -> str:
        """The text from here to the end, as written."""
        if self.at_end():
            raise self.error()
        text = self.sql[self.tokens[self.position].start : self.tokens[-1].end + 1]
        self.position = len(self.tokens)
        return text

    def rest_but_options(self, *keys: str) -> tuple[str, Options]:
        """The text from here to the end or to the first of these keys with a ``=``, and the options from there on."""
        begin = self.tokens[self.position].start if not self.at_end() else 0
        end = begin
        while not self.at_end() and not (self.peek() in keys and self.peek(1) == "="):
            end = self.next().end + 1
        if end == begin:
            raise self.error()
        return self.sql[begin:end], self.options()

    def name(self) -> Name:
        parts = [self._name_part()]
        while self.accept("."):
            parts.append(self._name_part())
        if len(parts) > 3:
            raise self.error()
        return Name(tuple(parts))

    def _name_part(self) -> str:
        token = self.next()
        if token.token_type is TokenType.IDENTIFIER:
            return token.text
        is_word = token.text.replace("_", "a").replace("$", "a").isalnum()
        if token.token_type is TokenType.STRING or not is_word or token.text.upper() in RESERVED:
            self.position -= 1
            raise self.error()
        return token.text.upper()

    def string(self) -> str:
        token = self.next()
        if token.token_type is not TokenType.STRING:
            self.position -= 1
            raise self.error()
        return token.text

    def options(self) -> Options:
        """Any number of ``KEY = value`` pairs, with or without commas between them."""
        found: Options = {}
        while not self.at_end() and self.peek(1) == "=":
            key = self.next().text.upper()
            self.expect("=")
            found[key] = self.value()
            self.accept(",")
        return found

    def value(self) -> Any:
        """A string, number, boolean, NULL, name (as upper-case text), list of values or options in parentheses."""
        if self.accept("("):
            if self.peek(1) == "=":
                nested: Any = self.options()
            else:
                nested = []
                while self.peek() != ")":
                    nested.append(self.value())
                    if not self.accept(","):
                        break
            self.expect(")")
            return nested
        token = self.next()
        if token.token_type is TokenType.STRING:
            return token.text
        if token.token_type is TokenType.DASH:
            return -self.value()
        if token.token_type is TokenType.NUMBER:
            return float(token.text) if "." in token.text else int(token.text)
        if token.text.upper() in ("TRUE", "FALSE"):
            return token.text.upper() == "TRUE"
        if token.text.upper() == "NULL":
            return None
        self.position -= 1
        return str(self.name())


def _words(token: Token) -> list[Token]:
    if token.token_type in (TokenType.STRING, TokenType.IDENTIFIER):
        return [token]
    return [
        Token(token.token_type, text=word, line=token.line, col=token.col, start=token.start, end=token.end)
        for word in token.text.split()
    ]
