"""The statements that sqlglot does not parse, from Snowflake's tokens to typed values.

``parse`` answers None for every statement that is not of this grammar: sqlglot parses those.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlglot.tokens import Token, TokenType

from .errors import SnowflakeError, compilation_error, unsupported

Options = dict[str, Any]


@dataclass(frozen=True)
class Name:
    """An object's name as written: one to three parts, unquoted ones in upper case."""

    parts: tuple[str, ...]

    @property
    def last(self) -> str:
        return self.parts[-1]

    def __str__(self) -> str:
        return ".".join(self.parts)


@dataclass(frozen=True)
class Create:
    """CREATE of an object that DuckDB has not; ``body`` is what follows AS, ``table`` what follows ON TABLE."""

    kind: str
    name: Name
    options: Options = field(default_factory=dict)
    or_replace: bool = False
    if_not_exists: bool = False
    body: str | None = None
    table: Name | None = None


@dataclass(frozen=True)
class Alter:
    kind: str
    name: Name
    action: str  # SET, UNSET, REFRESH, or another word
    options: Options = field(default_factory=dict)
    if_exists: bool = False


@dataclass(frozen=True)
class Drop:
    kind: str
    name: Name
    if_exists: bool = False


@dataclass(frozen=True)
class Describe:
    kind: str
    name: Name


@dataclass(frozen=True)
class Show:
    kind: str
    like: str | None = None
    scope: str | None = None  # ACCOUNT, DATABASE, SCHEMA; of parameters SESSION and TABLE too
    scope_name: Name | None = None


@dataclass(frozen=True)
class NoOp:
    """Accepted and without effect here; DEVIATIONS.md lists them."""

    what: str


Statement = Create | Alter | Drop | Describe | Show | NoOp

# Longest first: "STORAGE INTEGRATION" before a kind that is its prefix.
ACCOUNT_KINDS = (
    "STORAGE INTEGRATION",
    "NOTIFICATION INTEGRATION",
    "RESOURCE MONITOR",
    "NETWORK POLICY",
    "INTEGRATION",
    "WAREHOUSE",
    "ROLE",
)
SCHEMA_KINDS = ("FILE FORMAT", "STAGE", "PIPE", "STREAM")
KINDS = tuple(kind.split() for kind in ACCOUNT_KINDS + SCHEMA_KINDS)
# Of ALTER TABLE these are ours; the rest of it is sqlglot's.
TABLE_PARAMETERS = ("DATA_RETENTION_TIME_IN_DAYS", "MAX_DATA_EXTENSION_TIME_IN_DAYS")
REFUSED = {
    "CALL": "CALL (stored procedures)",
    "EXECUTE": "EXECUTE",
    "DECLARE": "Snowflake Scripting",
    "UNDROP": "UNDROP",
}
REFUSED_OBJECTS = ("TASK", "PROCEDURE", "DYNAMIC", "ALERT", "EXTERNAL", "MASKING", "USER")


def parse(sql: str, tokens: Sequence[Token]) -> Statement | None:
    """The statement that ``tokens`` of ``sql`` are, or None where it is not one of this grammar.

    Raises:
        SnowflakeError: it begins like one of this grammar and is malformed, or is known and can't be honoured.
    """
    reader = _Reader(sql, tokens)
    first = reader.peek()
    if first in REFUSED:
        raise unsupported(REFUSED[first])
    rule = _RULES.get(first)
    return rule(reader) if rule else None


class _Reader:
    def __init__(self, sql: str, tokens: Sequence[Token]) -> None:
        self.sql = sql
        # sqlglot's tokenizer makes one token of some pairs of words ("FILE FORMAT"): here each word is one.
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
        """The text from here to the end, as it was written."""
        if self.at_end():
            raise self.error()
        text = self.sql[self.tokens[self.position].start : self.tokens[-1].end + 1]
        self.position = len(self.tokens)
        return text

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
        if token.token_type is TokenType.STRING or not token.text.replace("_", "a").replace("$", "a").isalnum():
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
        """``KEY = value`` pairs up to whatever is not one, with or without commas between."""
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

    def kind(self) -> str | None:
        for words in KINDS:
            if self.accept(*words):
                return " ".join(words)
        return None


def _words(token: Token) -> list[Token]:
    if token.token_type in (TokenType.STRING, TokenType.IDENTIFIER):
        return [token]
    return [
        Token(token.token_type, text=word, line=token.line, col=token.col, start=token.start, end=token.end)
        for word in token.text.split()
    ]


def _create(reader: _Reader) -> Statement | None:
    reader.expect("CREATE")
    or_replace = reader.accept("OR", "REPLACE")
    temporary = reader.accept("TEMPORARY") or reader.accept("TEMP")
    if reader.peek() in REFUSED_OBJECTS:
        raise unsupported(f"CREATE {reader.peek()}")
    kind = reader.kind()
    if kind is None:
        return None
    if temporary:
        raise unsupported(f"CREATE TEMPORARY {kind}")
    if_not_exists = reader.accept("IF", "NOT", "EXISTS")
    name = reader.name()
    table = body = None
    if kind == "STREAM":
        if not reader.accept("ON", "TABLE"):
            raise unsupported("a stream on anything but a table")
        table = reader.name()
        if reader.peek() in ("AT", "BEFORE"):
            raise unsupported("CREATE STREAM ... AT | BEFORE (time travel)")
    if kind in ACCOUNT_KINDS:
        reader.accept("WITH")
    options = reader.options()
    if kind == "PIPE":
        reader.expect("AS")
        body = reader.rest()
    elif kind == "RESOURCE MONITOR" and not reader.at_end():
        reader.rest()  # TRIGGERS ON ... DO ...
    reader.end()
    return Create(kind, name, options, or_replace, if_not_exists, body, table)


def _alter(reader: _Reader) -> Statement | None:
    reader.expect("ALTER")
    if reader.peek() in REFUSED_OBJECTS:
        raise unsupported(f"ALTER {reader.peek()}")
    if reader.accept("ACCOUNT"):
        return _alter_parameters(reader, "ACCOUNT PARAMETERS", Name(("ACCOUNT",)))
    if reader.accept("TABLE"):
        if_exists = reader.accept("IF", "EXISTS")
        name = reader.name()
        if reader.peek() in ("SET", "UNSET") and reader.peek(1) in TABLE_PARAMETERS:
            return _alter_parameters(reader, "TABLE", name, if_exists=if_exists)
        return None
    kind = reader.kind()
    if kind is None:
        return None
    if_exists = reader.accept("IF", "EXISTS")
    name = reader.name()
    action = reader.next().text.upper()
    options = reader.options()
    if not reader.at_end():
        if kind in ACCOUNT_KINDS:
            reader.rest()
        else:
            reader.end()
    return Alter(kind, name, action, options, if_exists)


def _alter_parameters(reader: _Reader, kind: str, name: Name, *, if_exists: bool = False) -> Alter:
    """SET key = value ..., or UNSET key, ...: then the options have the keys, with None."""
    if reader.accept("UNSET"):
        options: Options = {reader.next().text.upper(): None}
        while reader.accept(","):
            options[reader.next().text.upper()] = None
        reader.end()
        return Alter(kind, name, "UNSET", options, if_exists)
    reader.expect("SET")
    options = reader.options()
    if not options:
        raise reader.error()
    reader.end()
    return Alter(kind, name, "SET", options, if_exists)


def _drop(reader: _Reader) -> Statement | None:
    reader.expect("DROP")
    kind = reader.kind()
    if kind is None:
        return None
    if_exists = reader.accept("IF", "EXISTS")
    name = reader.name()
    reader.end()
    return Drop(kind, name, if_exists)


def _describe(reader: _Reader) -> Statement | None:
    reader.next()
    kind = reader.kind()
    if kind is None:
        return None
    name = reader.name()
    reader.end()
    return Describe(kind, name)


def _show(reader: _Reader) -> Statement | None:
    reader.expect("SHOW")
    reader.accept("TERSE")
    kind = next((kind for kind, words in _PLURALS if reader.accept(*words)), None)
    if kind is None:
        if reader.peek() == "GRANTS":
            raise unsupported("SHOW GRANTS (privileges are not kept)")
        return None
    like = scope = scope_name = None
    if reader.accept("LIKE"):
        like = reader.string()
    if kind == "PARAMETER" and (reader.accept("IN") or reader.accept("FOR")):
        scope = next((word for word in ("ACCOUNT", "SESSION", "TABLE") if reader.accept(word)), None)
        if scope is None:
            raise unsupported(f"SHOW PARAMETERS IN {reader.peek()}")
        scope_name = reader.name() if scope == "TABLE" else None
    elif reader.accept("IN"):
        scope = next((word for word in ("ACCOUNT", "DATABASE", "SCHEMA") if reader.accept(word)), "SCHEMA")
        if not reader.at_end():
            scope_name = reader.name()
    reader.end()
    return Show(kind, like, scope, scope_name)


def _no_op(reader: _Reader) -> Statement:
    return NoOp(reader.peek())


def _use(reader: _Reader) -> Statement | None:
    reader.expect("USE")
    if reader.accept("SECONDARY", "ROLES"):
        return NoOp("USE SECONDARY ROLES")
    return None


_PLURALS = [
    (kind, (*kind.split()[:-1], kind.split()[-1] + "S")) for kind in (*ACCOUNT_KINDS, *SCHEMA_KINDS, "PARAMETER")
]
_RULES: dict[str, Callable[[_Reader], Statement | None]] = {
    "CREATE": _create,
    "ALTER": _alter,
    "DROP": _drop,
    "DESC": _describe,
    "DESCRIBE": _describe,
    "SHOW": _show,
    "USE": _use,
    "GRANT": _no_op,
    "REVOKE": _no_op,
}
