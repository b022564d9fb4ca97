"""GRANT and REVOKE, SHOW GRANTS, and the roles that a session uses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from . import engine, errors, ownership
from .catalog import ACCOUNT
from .context import Context
from .grant_grammar import GrantPrivileges, GrantRole, ShowGrants, Target, UseSecondaryRoles
from .grants import Grant, future
from .names import Name
from .privileges import OWNERSHIP, SCHEMA_OBJECTS, THE_ACCOUNT, USAGE, Securable, expand, kind_of
from .results import Result

_DONE = "Statement executed successfully."
_GRANT_COLUMNS = ["created_on", "privilege", "granted_on", "name", "granted_to", "grantee_name", "grant_option",
                  "granted_by"]  # fmt: skip
_ROLE_COLUMNS = ["created_on", "role", "granted_to", "grantee_name", "granted_by"]
_FUTURE_COLUMNS = ["created_on", "privilege", "grant_on", "name", "grant_to", "grantee_name", "grant_option"]


# --- GRANT and REVOKE -------------------------------------------------------------------------------------------------


def grant(context: Context, statement: GrantPrivileges) -> Result:
    """Grant or revoke privileges on one object, on all of a kind in a container, or on those that it will have."""
    _existing(context, "ROLE", statement.role)
    privileges = expand(statement.privileges, statement.on.kind)
    if OWNERSHIP in privileges and statement.on.scope != "FUTURE":
        return _give_ownership(context, statement)
    found = []
    for on in _targets(context, statement.on):
        for privilege in privileges:
            if _may_grant(context, on, privilege):
                found.append(Grant(privilege, on, "ROLE", statement.role, context.role, statement.option))
            elif statement.on.scope == "ONE" and statement.privileges != ("ALL",):
                raise errors.insufficient(on.kind, on.name)
    if not found and statement.on.scope == "ONE":
        raise errors.insufficient(statement.on.kind, str(statement.on.name))
    if not statement.revoke:
        context.grants.grant(found)
    elif statement.option:
        before = [each for one in found for each in context.grants.on(one.on) if each.identity == one.identity]
        context.grants.revoke(before)
        context.grants.grant(replace(each, with_option=False) for each in before)
    else:
        context.grants.revoke(found)
    return Result.status(_DONE)


def grant_role(context: Context, statement: GrantRole) -> Result:
    """Grant or revoke a role."""
    role = _existing(context, "ROLE", statement.role)
    _existing(context, statement.to_kind, statement.to)
    if not _may_grant(context, role, USAGE):
        raise errors.insufficient("ROLE", statement.role)
    granted = Grant(USAGE, role, statement.to_kind, statement.to, context.role)
    if statement.revoke:
        context.grants.revoke([granted])
    elif statement.to_kind == "ROLE" and statement.to in context.grants.with_inherited([statement.role]):
        raise errors.compilation_error(
            f"Role '{statement.to}' can't be a child of role '{statement.role}', which inherits it.", 3010
        )
    else:
        context.grants.grant([granted])
    return Result.status(_DONE)


def _give_ownership(context: Context, statement: GrantPrivileges) -> Result:
    if statement.revoke:
        raise errors.unsupported("REVOKE OWNERSHIP (grant it to another role)")
    for on in list(_targets(context, statement.on)):
        if not _may_grant(context, on, OWNERSHIP):
            raise errors.insufficient(on.kind, on.name)
        others = [each for each in context.grants.on(on) if each.privilege != OWNERSHIP]
        if others and statement.copy_grants is None:
            raise errors.SnowflakeError(
                f"SQL execution error: Dependent grant of privilege '{others[0].privilege}' on securable '{on.name}' to"
                f" role '{others[0].to}' exists. It must be revoked first. Use COPY CURRENT GRANTS or REVOKE CURRENT"
                " GRANTS.", 3036, "42501",
            )  # fmt: skip
        context.grants.own(on, statement.role, context.role, keep=bool(statement.copy_grants))
    return Result.status(_DONE)


def _may_grant(context: Context, on: Securable, privilege: str) -> bool:
    """Whether the session may grant a privilege: with MANAGE GRANTS, as the owner, or WITH GRANT OPTION."""
    if {"MANAGE GRANTS", OWNERSHIP} & context.held(THE_ACCOUNT):
        return True
    return not on.kind.startswith("FUTURE ") and context.grants.may_pass_on(context.active_roles, on, privilege)


def _targets(context: Context, target: Target) -> Iterator[Securable]:
    if target.name is None:
        yield THE_ACCOUNT
    elif target.scope == "ONE":
        yield _existing(context, target.kind, target.name)
    else:
        container = _existing(context, target.container, target.name)
        if target.scope == "FUTURE":
            yield future(target.kind, container)
        else:
            yield from _all_in(context, target.kind, container)


def _existing(context: Context, kind: str, name: Name | str) -> Securable:
    """The object, if it exists and the session sees it, or manages grants.

    Raises:
        SnowflakeError: 002003.
    """
    on = _securable(context, kind, Name((name,)) if isinstance(name, str) else name)
    manages = {"MANAGE GRANTS", OWNERSHIP} & context.held(THE_ACCOUNT)
    # Everybody sees that a role or a user exists.
    if not ownership.exists(context, on) or not (manages or kind in ("ROLE", "USER") or context.sees(on)):
        raise errors.does_not_exist(kind, on.name)
    return on


def _securable(context: Context, kind: str, name: Name) -> Securable:
    if kind == "SCHEMA":
        database = name.parts[0] if len(name.parts) == 2 else context.database
        return Securable(kind, (database or "", name.last))
    return Securable(kind, context.resolve(name) if kind in SCHEMA_OBJECTS else (name.last,))


def _all_in(context: Context, kind: str, container: Securable) -> Iterator[Securable]:
    """The objects of ``kind`` in a database or schema."""
    database = container.key[0]
    schemas = container.key[1:] or engine.schemas(context.duck, database)
    if kind == "SCHEMA":
        yield from (Securable(kind, (database, schema)) for schema in schemas)
    listed = {"TABLE": engine.tables, "VIEW": engine.views, "SEQUENCE": engine.sequences}.get(kind)
    if listed:
        yield from (Securable(kind, key) for schema in schemas for key in listed(context.duck, database, schema))
    elif kind != "SCHEMA":
        for found in context.catalog.objects(context.duck, kind, database):
            if found.schema in schemas:
                yield Securable(kind, (database, found.schema, found.name))


# --- SHOW GRANTS ------------------------------------------------------------------------------------------------------


def show_grants(context: Context, statement: ShowGrants) -> Result:
    grants, name = context.grants, statement.name
    match statement.relation:
        case "ON":
            on = THE_ACCOUNT if name is None else _existing(context, kind_of(statement.kind), name)
            return Result.of(_GRANT_COLUMNS, [_row(each) for each in grants.on(on)])
        case "OF":
            role = _existing(context, "ROLE", name or Name((context.role,)))
            given = [each for each in grants.on(role) if each.privilege == USAGE]
            return Result.of(_ROLE_COLUMNS, [_role_row(each) for each in given])
        case "TO" if statement.kind == "USER":
            user = name.last if name else context.user
            _existing(context, "USER", user)
            return Result.of(_ROLE_COLUMNS, [_role_row(each) for each in grants.to("USER", user)])
        case "TO":
            role = _existing(context, "ROLE", name or Name((context.role,)))
            held = [each for each in grants.to("ROLE", role.name) if not each.is_future]
            return Result.of(_GRANT_COLUMNS, [_row(each) for each in held])
        case "FUTURE TO":
            role = _existing(context, "ROLE", name or Name((context.role,)))
            return _show_future([each for each in grants.to("ROLE", role.name) if each.is_future])
    container = _existing(context, statement.kind, name or Name(()))
    return _show_future([each for kind in (*SCHEMA_OBJECTS, "SCHEMA") for each in grants.on(future(kind, container))])


def _show_future(found: list[Grant]) -> Result:
    rows = []
    for each in found:
        kind = each.on.kind.removeprefix("FUTURE ")
        name = f"{each.on.name}.<{kind}>"
        rows.append((each.created_on, each.privilege, kind, name, each.to_kind, each.to, str(each.with_option).lower()))
    return Result.of(_FUTURE_COLUMNS, rows)


def _row(each: Grant) -> tuple[object, ...]:
    kind = each.on.kind.replace(" ", "_")
    return (each.created_on, each.privilege, kind, each.on.name, each.to_kind, each.to, str(each.with_option).lower(),
            each.granted_by)  # fmt: skip


def _role_row(each: Grant) -> tuple[object, ...]:
    return each.created_on, each.on.name, each.to_kind, each.to, each.granted_by


# --- the roles of a session -------------------------------------------------------------------------------------------


def use_role(context: Context, role: str) -> None:
    """USE ROLE.

    Raises:
        SnowflakeError: 002043 or 003013, the role does not exist, or is not granted to the user.
    """
    _check_granted(context, role)
    context.use_role(role)


def use_secondary_roles(context: Context, statement: UseSecondaryRoles) -> Result:
    """USE SECONDARY ROLES ALL, NONE or names."""
    if statement.roles not in (("ALL",), ("NONE",)):
        for role in statement.roles:
            _check_granted(context, role)
    context.use_secondary_roles(statement.roles)
    return Result.status(_DONE)


def _check_granted(context: Context, role: str) -> None:
    if not context.catalog.find(context.duck, "ROLE", (*ACCOUNT, role)):
        raise errors.cannot_be_used()
    if role not in context.grants.roles_of_user(context.user):
        raise errors.SnowflakeError(
            f"SQL access control error:\nRequested role '{role}' is not assigned to the executing user. Specify another"
            " role to activate.", 3013, "42501",
        )  # fmt: skip
