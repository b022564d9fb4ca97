"""What can be granted: the kinds of objects that carry privileges, and the privileges of each kind."""

from __future__ import annotations

from dataclasses import dataclass

from . import errors

OWNERSHIP = "OWNERSHIP"
USAGE = "USAGE"
ALL = "ALL"

ACCOUNTADMIN, SECURITYADMIN, USERADMIN, SYSADMIN, PUBLIC = SYSTEM_ROLES = (
    "ACCOUNTADMIN", "SECURITYADMIN", "USERADMIN", "SYSADMIN", "PUBLIC",
)  # fmt: skip


@dataclass(frozen=True, order=True)
class Securable:
    """An object that carries privileges; ``key`` has no part for the account, one for a database, three for a table."""

    kind: str
    key: tuple[str, ...] = ()

    @property
    def containers(self) -> tuple[Securable, ...]:
        """The database and the schema that the object is in."""
        if self.kind in PRIVILEGES_OF_ACCOUNT_OBJECTS or len(self.key) < 2:
            return ()
        database = Securable("DATABASE", self.key[:1])
        return (database, Securable("SCHEMA", self.key[:2])) if len(self.key) == 3 else (database,)

    @property
    def name(self) -> str:
        return ".".join(self.key) or "LOCAL"

    def is_in(self, container: Securable) -> bool:
        return container in self.containers


THE_ACCOUNT = Securable("ACCOUNT")

PRIVILEGES_OF_ACCOUNT_OBJECTS: dict[str, tuple[str, ...]] = {
    "ACCOUNT": (
        "APPLY AUTHENTICATION POLICY", "APPLY MASKING POLICY", "APPLY ROW ACCESS POLICY", "APPLY TAG",
        "ATTACH POLICY", "CREATE DATABASE",
        "CREATE INTEGRATION", "CREATE NETWORK POLICY", "CREATE ROLE", "CREATE USER", "CREATE WAREHOUSE",
        "EXECUTE ALERT", "EXECUTE MANAGED TASK", "EXECUTE TASK", "MANAGE GRANTS", "MANAGE WAREHOUSES",
        "MONITOR EXECUTION", "MONITOR USAGE",
    ),
    "USER": ("MONITOR",),
    "ROLE": (USAGE,),
    "WAREHOUSE": ("APPLYBUDGET", "MODIFY", "MONITOR", "OPERATE", USAGE),
    "INTEGRATION": (USAGE, "USE_ANY_ROLE"),
    "RESOURCE MONITOR": ("MODIFY", "MONITOR"),
    "NETWORK POLICY": (USAGE,),
}  # fmt: skip
PRIVILEGES: dict[str, tuple[str, ...]] = {
    **PRIVILEGES_OF_ACCOUNT_OBJECTS,
    "DATABASE": ("APPLYBUDGET", "CREATE DATABASE ROLE", "CREATE SCHEMA", "MODIFY", "MONITOR", USAGE),
    "SCHEMA": (
        "ADD SEARCH OPTIMIZATION", "APPLYBUDGET", "CREATE AUTHENTICATION POLICY", "CREATE FILE FORMAT",
        "CREATE FUNCTION", "CREATE MASKING POLICY", "CREATE PIPE", "CREATE PROCEDURE", "CREATE SEQUENCE",
        "CREATE STAGE", "CREATE STREAM", "CREATE TABLE", "CREATE TAG", "CREATE TASK", "CREATE VIEW", "MODIFY",
        "MONITOR", USAGE,
    ),
    "TABLE": ("APPLYBUDGET", "DELETE", "EVOLVE SCHEMA", "INSERT", "REFERENCES", "SELECT", "TRUNCATE", "UPDATE"),
    "VIEW": ("REFERENCES", "SELECT"),
    "STAGE": ("READ", USAGE, "WRITE"),
    "FILE FORMAT": (USAGE,),
    "PIPE": ("APPLYBUDGET", "MONITOR", "OPERATE"),
    "STREAM": ("SELECT",),
    "SEQUENCE": (USAGE,),
    "MASKING POLICY": ("APPLY",),
    "AUTHENTICATION POLICY": ("APPLY",),
    "TAG": ("APPLY", "READ"),
}  # fmt: skip
# Kinds that a schema holds.
SCHEMA_OBJECTS = (
    "TABLE", "VIEW", "STAGE", "FILE FORMAT", "PIPE", "STREAM", "SEQUENCE", "MASKING POLICY", "AUTHENTICATION POLICY",
    "TAG",
)  # fmt: skip


def kind_of(kind: str) -> str:
    """The kind under which privileges on an object are granted: integrations of all types have one."""
    return "INTEGRATION" if kind.endswith("INTEGRATION") else kind


def expand(privileges: tuple[str, ...], kind: str) -> tuple[str, ...]:
    """The privileges that a GRANT or REVOKE on an object of ``kind`` names; ALL is all but ownership.

    Raises:
        SnowflakeError: objects of this kind have no such privilege.
    """
    if privileges == (ALL,):
        return PRIVILEGES[kind]
    for privilege in privileges:
        if privilege != OWNERSHIP and privilege not in PRIVILEGES[kind]:
            raise errors.compilation_error(f"Invalid privilege '{privilege}' for object type '{kind}'.", 3008)
    return privileges
