"""A new account: the system roles with their hierarchy, a warehouse, and one user who is ACCOUNTADMIN."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from . import users
from .catalog import ACCOUNT, Catalog
from .grammar import Create
from .grants import Grant, Grants
from .names import Name
from .privileges import (
    ACCOUNTADMIN,
    OWNERSHIP,
    SECURITYADMIN,
    SYSADMIN,
    SYSTEM_ROLES,
    THE_ACCOUNT,
    USAGE,
    USERADMIN,
    Securable,
)

WAREHOUSE = "COMPUTE_WH"
# Role -> the role that it is granted to.
_HIERARCHY = {SECURITYADMIN: ACCOUNTADMIN, SYSADMIN: ACCOUNTADMIN, USERADMIN: SECURITYADMIN}
_PRIVILEGES = {
    ACCOUNTADMIN: (OWNERSHIP,),
    SECURITYADMIN: ("MANAGE GRANTS", "CREATE NETWORK POLICY"),
    USERADMIN: ("CREATE USER", "CREATE ROLE"),
    SYSADMIN: ("CREATE DATABASE", "CREATE WAREHOUSE"),
}


@dataclass(frozen=True)
class Administrator:
    """The first user's name and password."""

    name: str = "ADMIN"
    password: str = "local"  # noqa: S105 - the documented default of a server that listens on the loopback interface


def set_up(catalog: Catalog, grants: Grants, duck: duckdb.DuckDBPyConnection, administrator: Administrator) -> None:
    """Fill an account that has no user yet.  The user comes last: a setup that was killed is done again."""
    if users.all_users(catalog, duck):
        return
    for role in SYSTEM_ROLES:
        _create(catalog, duck, "ROLE", role, {"COMMENT": "System role"})
    _create(catalog, duck, "WAREHOUSE", WAREHOUSE, {})
    warehouse, name = Securable("WAREHOUSE", (WAREHOUSE,)), administrator.name.upper()
    grants.grant([
        *(Grant(USAGE, Securable("ROLE", (role,)), "ROLE", to, "") for role, to in _HIERARCHY.items()),
        *(Grant(each, THE_ACCOUNT, "ROLE", role, "") for role, all_ in _PRIVILEGES.items() for each in all_),
        Grant(OWNERSHIP, warehouse, "ROLE", ACCOUNTADMIN, ""),
        Grant(USAGE, warehouse, "ROLE", SYSADMIN, ""),
        Grant(USAGE, Securable("ROLE", (ACCOUNTADMIN,)), "USER", name, ""),
    ])  # fmt: skip
    properties = {"PASSWORD": administrator.password, "DEFAULT_ROLE": ACCOUNTADMIN, "DEFAULT_WAREHOUSE": WAREHOUSE}
    _create(catalog, duck, "USER", name, users.definition(properties, {}))


def _create(
    catalog: Catalog, duck: duckdb.DuckDBPyConnection, kind: str, name: str, definition: dict[str, object]
) -> None:
    catalog.create(duck, Create(kind, Name((name,)), if_not_exists=True), (*ACCOUNT, name), definition)
