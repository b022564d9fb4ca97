"""GRANT, REVOKE, SHOW GRANTS and USE SECONDARY ROLES, as typed values."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import unsupported
from .names import Name
from .privileges import ALL, OWNERSHIP, PRIVILEGES, kind_of
from .reader import Reader


@dataclass(frozen=True)
class Target:
    """The objects of a GRANT: one, ALL of a kind in a container, or those that it will have."""

    kind: str
    name: Name | None  # None for the account
    scope: str = "ONE"  # ONE, ALL, FUTURE
    container: str = ""  # DATABASE or SCHEMA, where the scope is not ONE


@dataclass(frozen=True)
class GrantPrivileges:
    """GRANT or REVOKE of privileges; ``option`` is WITH GRANT OPTION or GRANT OPTION FOR."""

    privileges: tuple[str, ...]
    on: Target
    role: str
    revoke: bool = False
    option: bool = False
    copy_grants: bool | None = None  # of OWNERSHIP: COPY or REVOKE CURRENT GRANTS


@dataclass(frozen=True)
class GrantRole:
    """GRANT or REVOKE of a role."""

    role: str
    to_kind: str  # ROLE or USER
    to: str
    revoke: bool = False


@dataclass(frozen=True)
class ShowGrants:
    """SHOW GRANTS: ``relation`` is ON, TO, OF, or for future grants FUTURE IN, FUTURE TO."""

    relation: str
    kind: str
    name: Name | None  # None for the account, or for the current user


@dataclass(frozen=True)
class UseSecondaryRoles:
    roles: tuple[str, ...]  # ("ALL",), ("NONE",) or roles


Statement = GrantPrivileges | GrantRole | ShowGrants | UseSecondaryRoles

# What GRANT has in an account, for objects that this server refuses to create.
_OTHER_KINDS = ("DATABASE ROLE", "APPLICATION ROLE", "APPLICATION", "SHARE", "TASK", "FUNCTION", "PROCEDURE",
                "EXTERNAL TABLE", "DYNAMIC TABLE", "MATERIALIZED VIEW")  # fmt: skip
_INTEGRATIONS = ("STORAGE INTEGRATION", "NOTIFICATION INTEGRATION")
_KINDS = (*PRIVILEGES, *_INTEGRATIONS)


def grant(reader: Reader) -> Statement:
    reader.expect("GRANT")
    return _grant_or_revoke(reader, revoke=False)


def revoke(reader: Reader) -> Statement:
    reader.expect("REVOKE")
    return _grant_or_revoke(reader, revoke=True)


def show(reader: Reader) -> Statement:
    """SHOW [FUTURE] GRANTS; the reader is after SHOW."""
    is_future = reader.accept("FUTURE")
    reader.expect("GRANTS")
    if is_future:
        if reader.accept("IN"):
            kind = "DATABASE" if reader.accept("DATABASE") else "SCHEMA"
            reader.accept("SCHEMA")
            found = ShowGrants("FUTURE IN", kind, reader.name())
        else:
            reader.expect("TO")
            reader.accept("ROLE")
            found = ShowGrants("FUTURE TO", "ROLE", reader.name())
    elif reader.accept("ON"):
        found = ShowGrants("ON", "ACCOUNT", None) if reader.accept("ACCOUNT") else _show_on(reader)
    elif reader.accept("TO"):
        kind = "USER" if reader.accept("USER") else "ROLE"
        reader.accept("ROLE")
        found = ShowGrants("TO", kind, reader.name())
    elif reader.accept("OF"):
        reader.expect("ROLE")
        found = ShowGrants("OF", "ROLE", reader.name())
    else:
        found = ShowGrants("TO", "USER", None)
    reader.end()
    return found


def use_secondary_roles(reader: Reader) -> Statement:
    """USE SECONDARY ROLES; the reader is after these words."""
    roles = [reader.name().last]
    while reader.accept(","):
        roles.append(reader.name().last)
    reader.end()
    return UseSecondaryRoles(tuple(roles))


def _show_on(reader: Reader) -> ShowGrants:
    kind = _kind(reader, plural=False)
    return ShowGrants("ON", kind, reader.name())


def _grant_or_revoke(reader: Reader, *, revoke: bool) -> Statement:
    if reader.accept("ROLE"):
        return _role(reader, revoke=revoke)
    for kind in ("DATABASE", "APPLICATION"):
        if reader.peek() == kind and reader.peek(1) == "ROLE":
            raise unsupported(f"{kind} ROLE")
    option = revoke and reader.accept("GRANT", "OPTION", "FOR")
    privileges = _privileges(reader)
    target = _target(reader)
    reader.expect("FROM" if revoke else "TO")
    if reader.peek() in ("SHARE", "DATABASE", "APPLICATION", "USER"):
        raise unsupported(f"privileges granted to a {reader.peek()}")
    reader.accept("ROLE")
    role = reader.name().last
    copy_grants = None
    if revoke:
        if reader.accept("CASCADE"):
            raise unsupported("REVOKE ... CASCADE")
        reader.accept("RESTRICT")
    elif reader.accept("WITH", "GRANT", "OPTION"):
        option = True
    elif privileges == (OWNERSHIP,) and reader.peek() in ("COPY", "REVOKE"):
        copy_grants = reader.next().text.upper() == "COPY"
        reader.expect("CURRENT", "GRANTS")
    reader.end()
    return GrantPrivileges(privileges, target, role, revoke, option, copy_grants)


def _role(reader: Reader, *, revoke: bool) -> GrantRole:
    role = reader.name().last
    reader.expect("FROM" if revoke else "TO")
    kind = "USER" if reader.accept("USER") else "ROLE"
    if kind == "ROLE":
        reader.expect("ROLE")
    to = reader.name().last
    reader.end()
    return GrantRole(role, kind, to, revoke)


def _privileges(reader: Reader) -> tuple[str, ...]:
    found = []
    while True:
        words = []
        while reader.peek() not in (",", "ON", ""):
            words.append(reader.next().text.upper())
        if not words:
            raise reader.error()
        found.append(" ".join(words))
        if not reader.accept(","):
            break
    reader.expect("ON")
    return (ALL,) if found in (["ALL"], ["ALL PRIVILEGES"]) else tuple(found)


def _target(reader: Reader) -> Target:
    if reader.accept("ACCOUNT"):
        return Target("ACCOUNT", None)
    scope = next((word for word in ("ALL", "FUTURE") if reader.accept(word)), "ONE")
    if scope == "ONE":
        return Target(_kind(reader, plural=False), reader.name())
    kind = _kind(reader, plural=True)
    reader.expect("IN")
    container = "DATABASE" if reader.accept("DATABASE") else "SCHEMA"
    if container == "SCHEMA":
        reader.expect("SCHEMA")
    return Target(kind, reader.name(), scope, container)


def _kind(reader: Reader, *, plural: bool) -> str:
    ending = "S" if plural else ""
    for kind in _OTHER_KINDS:
        if reader.accept(*(kind + ending).split()):
            raise unsupported(f"privileges on a {kind}")
    for kind in _KINDS:
        if reader.accept(*(kind + ending).split()):
            return kind_of(kind)
    raise reader.error()
