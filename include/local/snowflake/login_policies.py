"""Network and authentication policies: from where, and how, a user may log in."""

from __future__ import annotations

import ipaddress
from typing import Any

import duckdb

from . import errors
from .catalog import ACCOUNT, Catalog
from .context import Context
from .grammar import Create, Describe, Drop, Show
from .policy_grammar import SetAuthenticationPolicy
from .privileges import Securable
from .reader import Options
from .results import Result
from .users import User, all_users, key

_KIND = "AUTHENTICATION POLICY"
_METHODS = ("ALL", "PASSWORD", "KEYPAIR", "SAML", "OAUTH", "PROGRAMMATIC_ACCESS_TOKEN", "WORKLOAD_IDENTITY")
_LISTS = ("ALLOWED_IP_LIST", "BLOCKED_IP_LIST")


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
    policy = context.resolve(statement.name)
    if context.catalog.find(context.duck, _KIND, policy) is None:
        if statement.if_exists:
            return Result.status("Drop statement executed successfully.")
        raise errors.does_not_exist(_KIND, str(statement.name))
    if used := _users_with(context.catalog, context.duck, policy):
        raise errors.compilation_error(
            f"Policy '{statement.name.last}' cannot be dropped: it is associated with the user {used[0].name}.", 3539,
            "42601",
        )  # fmt: skip
    context.catalog.drop(context.duck, _KIND, policy)
    return Result.status(f"{statement.name.last} successfully dropped.")


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


def _users_with(catalog: Catalog, duck: duckdb.DuckDBPyConnection, policy: tuple[str, str, str]) -> list[User]:
    return [user for user in all_users(catalog, duck) if tuple(user.found.definition.get(_KIND, ())) == policy]


# --- network policies -------------------------------------------------------------------------------------------------


def check_network_policy(options: Options) -> None:
    """Refuse what a network policy can't have here: anything but lists of IPv4 addresses and ranges.

    Raises:
        SnowflakeError: another option, or no address.
    """
    if unknown := set(options) - {*_LISTS, "COMMENT"}:
        raise errors.unsupported(f"{sorted(unknown)[0]} of a network policy")
    for name in _LISTS:
        for address in options.get(name, []):
            try:
                ipaddress.ip_network(str(address), strict=False)
            except ValueError as error:
                raise errors.compilation_error(f"Invalid IP address '{address}'.", 1008, "22023") from error


# --- a login ----------------------------------------------------------------------------------------------------------


def check_login(catalog: Catalog, duck: duckdb.DuckDBPyConnection, user: User, method: str, address: str) -> None:
    """Check the policies of a user who logs in by ``method`` from ``address``.

    Raises:
        SnowflakeError: 390422, not from there; 390202, not in this way.
    """
    definition = user.found.definition
    if network := definition.get("NETWORK_POLICY"):
        policy = catalog.find(duck, "NETWORK POLICY", (*ACCOUNT, network))
        if policy is not None and not _is_allowed(policy.definition, address):
            raise errors.SnowflakeError(
                f"Incoming request with IP/Token {address} is not allowed to access Snowflake. Contact your local"
                " security administrator.", 390422, "08001",
            )  # fmt: skip
    if authentication := definition.get(_KIND):
        database, schema, name = authentication
        found = catalog.find(duck, _KIND, (database, schema, name))
        methods = found.definition["AUTHENTICATION_METHODS"] if found else ["ALL"]
        if "ALL" not in methods and method not in methods:
            raise errors.SnowflakeError(
                "Authentication attempt rejected by the current authentication policy.", 390202, "08001"
            )


def _is_allowed(policy: dict[str, Any], address: str) -> bool:
    allowed, blocked = (policy.get(name, []) for name in _LISTS)
    return (not allowed or _is_in(address, allowed)) and not _is_in(address, blocked)


def _is_in(address: str, networks: list[str]) -> bool:
    return any(ipaddress.ip_address(address) in ipaddress.ip_network(each, strict=False) for each in networks)
