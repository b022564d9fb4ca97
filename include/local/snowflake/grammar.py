"""The statements that sqlglot does not parse, as typed values.

``parse`` returns None for every statement outside this grammar: sqlglot parses those.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlglot.tokenizer_core import Token

from . import grant_grammar, policy_grammar, resource_monitors
from .errors import unsupported
from .names import Name, like_pattern
from .reader import Options, Reader


@dataclass(frozen=True)
class Create:
    """CREATE of an object that DuckDB lacks; ``body`` is the text after AS, ``table`` the name after ON TABLE."""

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
    scope: str | None = None  # ACCOUNT, DATABASE, SCHEMA; for parameters SESSION and TABLE too
    scope_name: Name | None = None

    def matches(self, name: str) -> bool:
        """Whether LIKE, if it is there, lets ``name`` be listed."""
        return self.like is None or like_pattern(self.like).fullmatch(name) is not None


Statement = Create | Alter | Drop | Describe | Show | grant_grammar.Statement | policy_grammar.Statement

ACCOUNT_KINDS = (
    "STORAGE INTEGRATION",
    "NOTIFICATION INTEGRATION",
    "RESOURCE MONITOR",
    "NETWORK POLICY",
    "INTEGRATION",
    "WAREHOUSE",
    "ROLE",
    "USER",
)
SCHEMA_KINDS = ("FILE FORMAT", "STAGE", "PIPE", "STREAM", "MASKING POLICY", "AUTHENTICATION POLICY", "TAG")
KINDS = tuple(kind.split() for kind in ACCOUNT_KINDS + SCHEMA_KINDS)
# ALTER TABLE of these is ours; sqlglot parses the others.
TABLE_PARAMETERS = ("DATA_RETENTION_TIME_IN_DAYS", "MAX_DATA_EXTENSION_TIME_IN_DAYS")
REFUSED = {
    "CALL": "CALL (stored procedures)",
    "EXECUTE": "EXECUTE",
    "DECLARE": "Snowflake Scripting",
    "UNDROP": "UNDROP",
}
REFUSED_OBJECTS = ("TASK", "PROCEDURE", "DYNAMIC", "ALERT", "EXTERNAL")


def parse(sql: str, tokens: Sequence[Token]) -> Statement | None:
    """The statement in the ``tokens`` of ``sql``, or None where this grammar has none like it.

    Raises:
        SnowflakeError: it is malformed, or can't be honoured.
    """
    reader = Reader(sql, tokens)
    first = reader.peek()
    if first in REFUSED:
        raise unsupported(REFUSED[first])
    rule = _RULES.get(first)
    return rule(reader) if rule else None


def _create(reader: Reader) -> Statement | None:
    reader.expect("CREATE")
    if reader.accept("OR", "ALTER"):
        raise unsupported("CREATE OR ALTER")
    or_replace = reader.accept("OR", "REPLACE")
    temporary = reader.accept("TEMPORARY") or reader.accept("TEMP")
    if reader.peek() in REFUSED_OBJECTS:
        raise unsupported(f"CREATE {reader.peek()}")
    kind = _kind(reader)
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
    options = policy_grammar.options(kind, reader) if kind in ("MASKING POLICY", "TAG") else reader.options()
    if kind == "PIPE":
        reader.expect("AS")
        body = reader.rest()
    elif kind == "RESOURCE MONITOR" and not reader.at_end():
        options["TRIGGERS"] = resource_monitors.triggers(reader)
    reader.end()
    return Create(kind, name, options, or_replace, if_not_exists, body, table)


def _alter(reader: Reader) -> Statement | None:
    reader.expect("ALTER")
    if reader.peek() in REFUSED_OBJECTS:
        raise unsupported(f"ALTER {reader.peek()}")
    if reader.accept("ACCOUNT"):
        return _alter_parameters(reader, "ACCOUNT PARAMETERS", Name(("ACCOUNT",)))
    if (policy := policy_grammar.alter(reader)) is not None:
        return policy
    if reader.accept("TABLE"):
        if_exists = reader.accept("IF", "EXISTS")
        name = reader.name()
        if reader.peek() in ("SET", "UNSET") and reader.peek(1) in TABLE_PARAMETERS:
            return _alter_parameters(reader, "TABLE", name, if_exists=if_exists)
        for action in ("SUSPEND", "RESUME"):
            if reader.accept(action, "RECLUSTER"):
                reader.end()
                return Alter("TABLE", name, action, {}, if_exists)
        return None
    kind = _kind(reader)
    if kind is None:
        return None
    if_exists = reader.accept("IF", "EXISTS")
    name = reader.name()
    if kind in ("USER", "ROLE") or (kind in (*ACCOUNT_KINDS, "PIPE") and reader.peek() == "UNSET"):
        return _alter_parameters(reader, kind, name, if_exists=if_exists)
    action = reader.next().text.upper()
    options = reader.options()
    if action == "RESUME" and reader.accept("IF", "SUSPENDED"):
        options["IF_SUSPENDED"] = True
    if action == "SET" and not options:
        raise reader.error()
    if action in ("ABORT", "RENAME"):
        raise unsupported(f"ALTER {kind} ... {action}")
    if kind == "RESOURCE MONITOR" and not reader.at_end():
        options["TRIGGERS"] = resource_monitors.triggers(reader)
    reader.end()
    return Alter(kind, name, action, options, if_exists)


def _alter_parameters(reader: Reader, kind: str, name: Name, *, if_exists: bool = False) -> Alter:
    """Read SET key = value ..., or UNSET key, ...; the options of UNSET have the keys, each with None."""
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


def _drop(reader: Reader) -> Statement | None:
    reader.expect("DROP")
    kind = _kind(reader)
    if kind is None:
        return None
    if_exists = reader.accept("IF", "EXISTS")
    name = reader.name()
    reader.end()
    return Drop(kind, name, if_exists)


def _describe(reader: Reader) -> Statement | None:
    reader.next()
    kind = _kind(reader)
    if kind is None:
        return None
    name = reader.name()
    reader.end()
    return Describe(kind, name)


def _show(reader: Reader) -> Statement | None:
    reader.expect("SHOW")
    reader.accept("TERSE")
    kind = next((kind for kind, words in _PLURALS if reader.accept(*words)), None)
    if kind is None:
        if reader.peek() in ("GRANTS", "FUTURE"):
            return grant_grammar.show(reader)
        return None
    like = scope = scope_name = None
    if reader.accept("LIKE"):
        like = reader.string()
    if kind == "PARAMETER" and (reader.accept("IN") or reader.accept("FOR")):
        scope = next((word for word in ("ACCOUNT", "SESSION", "WAREHOUSE", "TABLE") if reader.accept(word)), None)
        if scope is None:
            raise unsupported(f"SHOW PARAMETERS IN {reader.peek()}")
        scope_name = reader.name() if scope in ("TABLE", "WAREHOUSE") else None
    elif reader.accept("IN"):
        scope = next((word for word in ("ACCOUNT", "DATABASE", "SCHEMA") if reader.accept(word)), "SCHEMA")
        if not reader.at_end():
            scope_name = reader.name()
    for clause in (("STARTS", "WITH"), ("LIMIT",)):
        if reader.accept(*clause):
            raise unsupported(f"{' '.join(clause)} in SHOW {kind}S")
    reader.end()
    return Show(kind, like, scope, scope_name)


def _kind(reader: Reader) -> str | None:
    for words in KINDS:
        if reader.accept(*words):
            return " ".join(words)
    return None


def _use(reader: Reader) -> Statement | None:
    reader.expect("USE")
    if reader.accept("SECONDARY", "ROLES"):
        return grant_grammar.use_secondary_roles(reader)
    return None


_PLURALS = [
    (kind, (*kind.split()[:-1], kind.split()[-1].replace("POLICY", "POLICIE") + "S"))
    for kind in (*ACCOUNT_KINDS, *SCHEMA_KINDS, "PARAMETER")
]
_RULES: dict[str, Callable[[Reader], Statement | None]] = {
    "CREATE": _create,
    "ALTER": _alter,
    "DROP": _drop,
    "DESC": _describe,
    "DESCRIBE": _describe,
    "SHOW": _show,
    "USE": _use,
    "GRANT": grant_grammar.grant,
    "REVOKE": grant_grammar.revoke,
}
