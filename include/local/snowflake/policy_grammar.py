"""Masking policies, tags and policies of users: the statements that set them on something, as typed values.

CREATE, DROP, SHOW and DESCRIBE of a policy or tag are those of ``grammar``; the options of a masking policy and of a
tag are read here.
"""

from __future__ import annotations

from dataclasses import dataclass

from .errors import unsupported
from .names import Name
from .reader import Options, Reader

# What a tag can be set on here, beside columns.
TAGGED_KINDS = ("TABLE", "VIEW", "WAREHOUSE", "DATABASE", "SCHEMA")


@dataclass(frozen=True)
class SetMasking:
    """ALTER TABLE or VIEW ... MODIFY COLUMN: the policy of each column, None for UNSET."""

    kind: str  # TABLE or VIEW
    name: Name
    columns: tuple[tuple[str, Name | None], ...]
    force: bool = False
    if_exists: bool = False


@dataclass(frozen=True)
class SetBody:
    """ALTER MASKING POLICY ... SET BODY."""

    name: Name
    body: str
    if_exists: bool = False


@dataclass(frozen=True)
class SetTags:
    """ALTER ... SET TAG on an object or a column: the value of each tag, None for UNSET."""

    kind: str
    name: Name
    column: str | None
    tags: tuple[tuple[Name, str | None], ...]
    if_exists: bool = False


@dataclass(frozen=True)
class SetSecure:
    """ALTER VIEW ... SET SECURE or UNSET SECURE."""

    name: Name
    secure: bool
    if_exists: bool = False


@dataclass(frozen=True)
class SetAuthenticationPolicy:
    """ALTER USER ... SET AUTHENTICATION POLICY; None for UNSET."""

    user: str
    policy: Name | None
    force: bool = False
    if_exists: bool = False


Statement = SetMasking | SetBody | SetTags | SetSecure | SetAuthenticationPolicy


def options(kind: str, reader: Reader) -> Options:
    """What follows the name in CREATE of a masking policy or a tag."""
    return _of_masking_policy(reader) if kind == "MASKING POLICY" else _of_tag(reader)


def alter(reader: Reader) -> Statement | None:
    """An ALTER that sets a policy or a tag; the reader is after ALTER.  None where it is another one: nothing is read.

    Raises:
        SnowflakeError: it is malformed, or can't be honoured.
    """
    start = reader.position
    found = _alter(reader)
    if found is None:
        reader.position = start
    return found


def _alter(reader: Reader) -> Statement | None:
    if reader.accept("USER"):
        return _of_user(reader)
    if reader.accept("MASKING", "POLICY"):
        if_exists = reader.accept("IF", "EXISTS")
        policy = reader.name()
        if not reader.accept("SET", "BODY"):
            raise unsupported("ALTER MASKING POLICY of anything but its body")
        reader.expect("->")
        return SetBody(policy, reader.rest(), if_exists)
    kind = next((kind for kind in TAGGED_KINDS if reader.accept(kind)), None)
    if kind is None:
        return None
    if_exists = reader.accept("IF", "EXISTS")
    name = reader.name()
    unset = reader.peek() == "UNSET"
    if reader.peek() in ("SET", "UNSET") and reader.peek(1) == "TAG":
        reader.next()
        return _tags(reader, kind, name, None, unset=unset, if_exists=if_exists)
    if kind == "VIEW" and reader.peek() in ("SET", "UNSET") and reader.peek(1) == "SECURE":
        reader.expect("UNSET" if unset else "SET", "SECURE")
        reader.end()
        return SetSecure(name, not unset, if_exists)
    if kind in ("TABLE", "VIEW") and reader.peek() in ("MODIFY", "ALTER"):
        return _of_columns(reader, kind, name, if_exists=if_exists)
    return None


def _of_columns(reader: Reader, kind: str, name: Name, *, if_exists: bool) -> SetMasking | SetTags | None:
    reader.next()
    is_list = reader.accept("(")
    columns: list[tuple[str, Name | None]] = []
    force = False
    while True:
        reader.accept("COLUMN")
        column = reader.name().last
        unset = reader.peek() == "UNSET"
        if reader.peek() not in ("SET", "UNSET") or reader.peek(1) not in ("MASKING", "TAG", "PROJECTION"):
            return None
        reader.next()
        if reader.peek() == "TAG" and not columns and not is_list:
            return _tags(reader, kind, name, column, unset=unset, if_exists=if_exists)
        if not reader.accept("MASKING", "POLICY"):
            raise unsupported(f"{reader.peek()} on several columns in one statement")
        columns.append((column, None if unset else reader.name()))
        if reader.peek() == "USING":
            raise unsupported("SET MASKING POLICY ... USING (conditional masking)")
        force |= reader.accept("FORCE")
        if not reader.accept(","):
            break
        if reader.peek() in ("MODIFY", "ALTER"):
            reader.next()
    if is_list:
        reader.expect(")")
    reader.end()
    return SetMasking(kind, name, tuple(columns), force, if_exists)


def _tags(reader: Reader, kind: str, name: Name, column: str | None, *, unset: bool, if_exists: bool) -> SetTags:
    reader.expect("TAG")
    tags: list[tuple[Name, str | None]] = []
    while True:
        tag = reader.name()
        if unset:
            tags.append((tag, None))
        else:
            reader.expect("=")
            tags.append((tag, reader.string()))
        if not reader.accept(","):
            break
    reader.end()
    return SetTags(kind, name, column, tuple(tags), if_exists)


def _of_user(reader: Reader) -> SetAuthenticationPolicy | None:
    if_exists = reader.accept("IF", "EXISTS")
    user = reader.name().last
    policy: Name | None = None
    if reader.accept("UNSET", "AUTHENTICATION", "POLICY"):
        policy = None
    elif reader.accept("SET", "AUTHENTICATION", "POLICY"):
        policy = reader.name()
    else:
        return None
    force = policy is not None and reader.accept("FORCE")
    reader.end()
    return SetAuthenticationPolicy(user, policy, force, if_exists)


def _of_masking_policy(reader: Reader) -> Options:
    """AS (argument type) RETURNS type -> body [COMMENT = 'text'] [EXEMPT_OTHER_POLICIES = FALSE]."""
    reader.expect("AS")
    reader.expect("(")
    argument, kind = reader.name().last, reader.name().last
    if reader.accept(","):
        raise unsupported("a masking policy with more than one argument")
    reader.expect(")")
    reader.expect("RETURNS")
    returned = reader.name().last
    if returned != kind:
        raise unsupported("a masking policy whose type is not its argument's")
    reader.expect("->")
    body, comment = reader.rest_but_options("COMMENT")
    return {"ARGUMENT": argument, "TYPE": kind, "BODY": body, **comment}


def _of_tag(reader: Reader) -> Options:
    """[ALLOWED_VALUES 'a', 'b'] [COMMENT = 'text']."""
    found: Options = {}
    if reader.accept("ALLOWED_VALUES"):
        values = [reader.string()]
        while reader.accept(","):
            values.append(reader.string())
        found["ALLOWED_VALUES"] = values
    rest = reader.options()
    if unknown := set(rest) - {"COMMENT"}:
        raise unsupported(f"CREATE TAG ... {sorted(unknown)[0]}")
    return found | rest
