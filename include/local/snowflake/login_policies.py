"""Authentication policies: how a user may log in.  A network policy is an object of the account, as others are."""

from __future__ import annotations

import duckdb

from . import errors
from .catalog import Catalog
from .context import Context
from .grammar import Create, Describe, Drop, Show
from .login_checks import AUTHENTICATION_POLICY as _KIND
from .names import Key
from .policy_grammar import SetAuthenticationPolicy
from .privileges import Securable
from .results import Result
from .users import User, all_users, key

_METHODS = ("ALL", "PASSWORD", "KEYPAIR", "SAML", "OAUTH", "PROGRAMMATIC_ACCESS_TOKEN", "WORKLOAD_IDENTITY")


# --- authentication policies ------------------------------------------------------------------------------------------


def create(context: Context, statement: Create) -> Result:
    """CREATE AUTHENTICATION POLICY name AUTHENTICATION_METHODS = (...) [COMMENT = ...]."""
    if unknown := set(statement.options) - {"AUTHENTICATION_METHODS", "COMMENT"}:
        raise errors.unsupported(f"CREATE AUTHENTICATION POLICY ... {sorted(unknown)[0]}")
    methods = [str(each).upper() for each in statement.options.get("AUTHENTICATION_METHODS", ["ALL"])]
    if wrong := sorted(set(methods) - set(_METHODS)):
        raise errors.compilation_error(
            f"invalid value [{wrong[0]}] for parameter 'AUTHENTICATION_METHODS'", 1008, "22023"
        )
    definition = {"AUTHENTICATION_METHODS": methods, "COMMENT": statement.options.get("COMMENT", "")}
    name = statement.name.last
    policy = context.resolve(statement.name)
    if statement.or_replace and _users_with(context.catalog, context.duck, policy):
        raise errors.compilation_error(f"Policy '{name}' cannot be replaced: it is set on a user.")
    created = context.catalog.create(context.duck, statement, policy, definition)
    return Result.status(
        f"Authentication policy {name} successfully created." if created else f"{name} already exists, statement"
        " succeeded."
    )  # fmt: skip


def drop(context: Context, statement: Drop) -> Result:
    def first_user(policy: Key) -> str | None:
        return next((f"the user {user.name}" for user in _users_with(context.catalog, context.duck, policy)), None)

    return context.drop(statement, first_user)


def show(context: Context, statement: Show) -> Result:
    rows = [
        (each.created_on, each.name, each.database, each.schema,
         context.grants.owner(Securable(_KIND, (each.database, each.schema, each.name))),
         each.definition.get("COMMENT", ""))
        for each in context.shown(statement)
    ]  # fmt: skip
    return Result.of(["created_on", "name", "database_name", "schema_name", "owner", "comment"], rows)


def describe(context: Context, statement: Describe) -> Result:
    found = context.catalog.get(context.duck, _KIND, context.resolve(statement.name))
    methods = "[" + ", ".join(found.definition["AUTHENTICATION_METHODS"]) + "]"
    rows = [("NAME", found.name, ""), ("AUTHENTICATION_METHODS", methods, "[ALL]"),
            ("COMMENT", found.definition.get("COMMENT", ""), "")]  # fmt: skip
    return Result.of(["property", "value", "default"], rows)


def set_on_user(context: Context, statement: SetAuthenticationPolicy) -> Result:
    """ALTER USER ... SET | UNSET AUTHENTICATION POLICY."""
    found = context.catalog.find(context.duck, "USER", key(statement.user))
    if found is None:
        if statement.if_exists:
            return Result.status("Statement executed successfully.")
        raise errors.does_not_exist("User", statement.user)
    definition = dict(found.definition)
    before = definition.pop(_KIND, None)
    if statement.policy is None and before is None:
        raise errors.compilation_error(
            f"Any policy of kind AUTHENTICATION_POLICY is not attached to USER {found.name}."
        )
    if statement.policy is not None:
        if before is not None and not statement.force:
            raise errors.compilation_error(
                f"Object {found.name} already has a AUTHENTICATION_POLICY. Only one AUTHENTICATION_POLICY is allowed at"
                " a time.", 3548, "0A000",
            )  # fmt: skip
        policy = context.resolve(statement.policy)
        context.catalog.get(context.duck, _KIND, policy)
        definition[_KIND] = list(policy)
    context.catalog.redefine(context.duck, found, definition)
    return Result.status("Statement executed successfully.")


def _users_with(catalog: Catalog, duck: duckdb.DuckDBPyConnection, policy: Key) -> list[User]:
    return [user for user in all_users(catalog, duck) if tuple(user.found.definition.get(_KIND, ())) == policy]
