"""What the policies of a login say: from where, and how, a user may log in."""

from __future__ import annotations

import ipaddress
from typing import Any

import duckdb

from . import errors
from .catalog import ACCOUNT, Catalog
from .reader import Options
from .users import User

AUTHENTICATION_POLICY = "AUTHENTICATION POLICY"
_LISTS = ("ALLOWED_IP_LIST", "BLOCKED_IP_LIST")


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
    if authentication := definition.get(AUTHENTICATION_POLICY):
        database, schema, name = authentication
        found = catalog.find(duck, AUTHENTICATION_POLICY, (database, schema, name))
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
