"""Users and roles: CREATE, ALTER, DROP, DESCRIBE and SHOW."""

from __future__ import annotations

from . import account, errors, users
from .catalog import CatalogObject
from .context import Context
from .grammar import Alter, Create, Describe, Drop, Show
from .grants import Grant
from .privileges import OWNERSHIP, SYSTEM_ROLES, THE_ACCOUNT, USAGE, Securable
from .reader import Options
from .results import Result
from .users import User

_USER_COLUMNS = [
    "name", "created_on", "login_name", "display_name", "first_name", "last_name", "email", "comment", "disabled",
    "default_warehouse", "default_namespace", "default_role", "default_secondary_roles", "owner", "has_password",
    "has_rsa_public_key", "type",
]  # fmt: skip
_ROLE_COLUMNS = [
    "created_on", "name", "is_default", "is_current", "is_inherited", "assigned_to_users", "granted_to_roles",
    "granted_roles", "owner", "comment",
]  # fmt: skip
# What DESC USER lists; a password and its hash are shown nowhere.
_DESCRIBED = (
    "DISPLAY_NAME", "LOGIN_NAME", "FIRST_NAME", "LAST_NAME", "EMAIL", "COMMENT", "DISABLED", "MUST_CHANGE_PASSWORD",
    "TYPE", "DEFAULT_WAREHOUSE", "DEFAULT_NAMESPACE", "DEFAULT_ROLE", "DEFAULT_SECONDARY_ROLES", "RSA_PUBLIC_KEY",
    "RSA_PUBLIC_KEY_2", "STATEMENT_TIMEOUT_IN_SECONDS", "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS",
)  # fmt: skip


# --- users ------------------------------------------------------------------------------------------------------------


def create_user(context: Context, statement: Create) -> Result:
    name = statement.name.last
    definition = users.definition(statement.options, {})
    _check_network_policy(context, statement.options)
    created = context.catalog.create(context.duck, statement, users.key(name), definition)
    return Result.status(
        f"User {name} successfully created." if created else f"{name} already exists, statement succeeded."
    )


def alter_user(context: Context, statement: Alter) -> Result:
    """ALTER USER ... SET | UNSET."""
    found = context.catalog.find(context.duck, "USER", users.key(statement.name.last))
    if found is None:
        return _missing(statement)
    _check_network_policy(context, statement.options)
    context.catalog.redefine(context.duck, found, users.definition(statement.options, found.definition))
    return Result.status("Statement executed successfully.")


def drop_user(context: Context, statement: Drop) -> Result:
    if statement.name.last == context.user:
        raise errors.SnowflakeError("Cannot drop the user who is logged in.", 3001, "42501")
    return account.drop(context, statement)


def describe_user(context: Context, statement: Describe) -> Result:
    """DESC USER: of oneself, or by who may see the user."""
    name = statement.name.last
    if name != context.user and not (_manages(context) or context.sees(Securable("USER", (name,)))):
        raise errors.does_not_exist("User", name)
    user = users.named(context.catalog, context.duck, name)
    rows = [("NAME", user.name, "")]
    rows += [(each, user.text(each), "") for each in _DESCRIBED]
    return Result.of(["property", "value", "default"], rows)


def show_users(context: Context, statement: Show) -> Result:
    found = [
        user
        for user in users.all_users(context.catalog, context.duck)
        if statement.matches(user.name)
        and (_manages(context) or user.name == context.user or context.sees(Securable("USER", (user.name,))))
    ]
    return Result.of(_USER_COLUMNS, [_user_row(context, user) for user in found])


def _user_row(context: Context, user: User) -> tuple[object, ...]:
    text = user.text
    return (
        user.name, user.found.created_on, user.login_name, text("DISPLAY_NAME") or user.name, text("FIRST_NAME"),
        text("LAST_NAME"), text("EMAIL"), text("COMMENT"), str(user.is_disabled).lower(), user.default_warehouse or "",
        text("DEFAULT_NAMESPACE"), text("DEFAULT_ROLE"), '["ALL"]' if user.secondary_roles == "ALL" else "[]",
        context.grants.owner(Securable("USER", (user.name,))), str(user.has_password).lower(),
        str(bool(user.public_keys)).lower(), user.type,
    )  # fmt: skip


# --- roles ------------------------------------------------------------------------------------------------------------


def create_role(context: Context, statement: Create) -> Result:
    if statement.or_replace:
        _refuse_system_role(statement.name.last)
    return account.create(context, statement)


def alter_role(context: Context, statement: Alter) -> Result:
    """ALTER ROLE ... SET | UNSET COMMENT."""
    if unknown := set(statement.options) - {"COMMENT"}:
        raise errors.unsupported(f"ALTER ROLE ... {statement.action} {', '.join(sorted(unknown))}")
    _refuse_system_role(statement.name.last)
    found = context.catalog.find(context.duck, "ROLE", users.key(statement.name.last))
    if found is None:
        return _missing(statement)
    context.catalog.alter(context.duck, found, {"COMMENT": statement.options["COMMENT"] or ""})
    return Result.status("Statement executed successfully.")


def drop_role(context: Context, statement: Drop) -> Result:
    _refuse_system_role(statement.name.last)
    return account.drop(context, statement)


def show_roles(context: Context, statement: Show) -> Result:
    roles = [found for found in account.shown(context, "ROLE") if statement.matches(found.name)]
    return Result.of(_ROLE_COLUMNS, [_role_row(context, found) for found in roles])


def _role_row(context: Context, found: CatalogObject) -> tuple[object, ...]:
    on = Securable("ROLE", (found.name,))
    given: list[Grant] = [each for each in context.grants.on(on) if each.privilege == USAGE]
    inherited = context.primary_roles - {context.role}
    default = users.named(context.catalog, context.duck, context.user).default_role
    return (
        found.created_on, found.name, _flag(found.name == default), _flag(found.name == context.role),
        _flag(found.name in inherited), sum(each.to_kind == "USER" for each in given),
        sum(each.to_kind == "ROLE" for each in given),
        sum(each.on.kind == "ROLE" and each.privilege == USAGE for each in context.grants.to("ROLE", found.name)),
        "" if found.name in SYSTEM_ROLES else context.grants.owner(on), found.definition.get("COMMENT", ""),
    )  # fmt: skip


# --- helpers ----------------------------------------------------------------------------------------------------------


def _check_network_policy(context: Context, options: Options) -> None:
    if policy := options.get("NETWORK_POLICY"):
        context.catalog.get(context.duck, "NETWORK POLICY", users.key(str(policy).upper()))


def _missing(statement: Alter) -> Result:
    if statement.if_exists:
        return Result.status("Statement executed successfully.")
    raise errors.does_not_exist(statement.kind, statement.name.last)


def _manages(context: Context) -> bool:
    return bool({"MANAGE GRANTS", "CREATE USER", OWNERSHIP} & context.held(THE_ACCOUNT))


def _refuse_system_role(name: str) -> None:
    if name in SYSTEM_ROLES:
        raise errors.insufficient("ROLE", name)


def _flag(value: bool) -> str:
    return "Y" if value else "N"
