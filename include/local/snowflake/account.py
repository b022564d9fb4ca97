"""Warehouses, roles, integrations: they exist here, but nothing runs on them and nothing is kept from anyone."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from . import errors
from .catalog import ACCOUNT, like_pattern
from .grammar import Alter, Create, Describe, Drop, Show
from .results import Result

if TYPE_CHECKING:
    from .session import Session

# The IAM user that this account would assume the integration's role with.
IAM_USER_ARN = "arn:aws:iam::000000000000:user/local-snowflake"


def _key(name: str) -> tuple[str, str, str]:
    return (*ACCOUNT, name)


def create(session: Session, statement: Create) -> Result:
    """CREATE WAREHOUSE, ROLE, INTEGRATION, ...: recorded, so that SHOW and DESC tell of it."""
    definition = dict(statement.options)
    if statement.kind == "STORAGE INTEGRATION":
        if definition.get("STORAGE_PROVIDER") != "S3":
            raise errors.unsupported("a storage integration of another provider than 'S3'")
        if not definition.get("STORAGE_AWS_ROLE_ARN") or not definition.get("STORAGE_ALLOWED_LOCATIONS"):
            raise errors.compilation_error("Missing option(s): STORAGE_AWS_ROLE_ARN, STORAGE_ALLOWED_LOCATIONS.")
        # A new one at each (re)creation: the role's trust policy must be told, as in Snowflake.
        definition["STORAGE_AWS_EXTERNAL_ID"] = f"LOCAL_SFCRole=1_{secrets.token_hex(12)}"
    name = statement.name.last
    title = statement.kind.rsplit(" ", 1)[-1].capitalize()
    created = session.instance.catalog.create(session.duck, statement, _key(name), definition)
    return Result.status(
        f"{title} {name} successfully created." if created else f"{name} already exists, statement succeeded."
    )


def alter(session: Session, statement: Alter) -> Result:
    name = statement.name.last
    found = session.instance.catalog.find(session.duck, statement.kind, _key(name))
    if found is None and not statement.if_exists:
        raise errors.does_not_exist(statement.kind, name)
    if found and statement.action == "SET":
        session.instance.catalog.alter(session.duck, found, statement.options)
    return Result.status("Statement executed successfully.")


def drop(session: Session, statement: Drop) -> Result:
    name = statement.name.last
    kinds = _kinds(statement.kind)
    for kind in kinds:
        if session.instance.catalog.find(session.duck, kind, _key(name)):
            session.instance.catalog.drop(session.duck, kind, _key(name))
            return Result.status(f"{name} successfully dropped.")
    if statement.if_exists:
        return Result.status("Drop statement executed successfully.")
    raise errors.does_not_exist(statement.kind, name)


def describe(session: Session, statement: Describe) -> Result:
    """DESC INTEGRATION: its options, with the IAM user and external id for the role's trust policy."""
    if "INTEGRATION" not in statement.kind:
        raise errors.unsupported(f"DESCRIBE {statement.kind}")
    name = statement.name.last
    found = next(
        (f for kind in _kinds(statement.kind) if (f := session.instance.catalog.find(session.duck, kind, _key(name)))),
        None,
    )
    if found is None:
        raise errors.does_not_exist("Integration", name)
    options = found.definition
    properties = [
        ("ENABLED", "Boolean", str(options.get("ENABLED", True)).lower(), "false"),
        ("STORAGE_PROVIDER", "String", options.get("STORAGE_PROVIDER", ""), ""),
        ("STORAGE_ALLOWED_LOCATIONS", "List", ",".join(options.get("STORAGE_ALLOWED_LOCATIONS", [])), "[]"),
        ("STORAGE_BLOCKED_LOCATIONS", "List", ",".join(options.get("STORAGE_BLOCKED_LOCATIONS", [])), "[]"),
        ("STORAGE_AWS_IAM_USER_ARN", "String", IAM_USER_ARN, ""),
        ("STORAGE_AWS_ROLE_ARN", "String", options.get("STORAGE_AWS_ROLE_ARN", ""), ""),
        ("STORAGE_AWS_EXTERNAL_ID", "String", options.get("STORAGE_AWS_EXTERNAL_ID", ""), ""),
        ("COMMENT", "String", options.get("COMMENT", ""), ""),
    ]
    return Result.of(["property", "property_type", "property_value", "property_default"], properties)


def show(session: Session, statement: Show) -> Result:
    found = [
        each
        for kind in _kinds(statement.kind)
        for each in session.instance.catalog.list(session.duck, kind, ACCOUNT[0])
        if statement.like is None or like_pattern(statement.like).fullmatch(each.name)
    ]
    if statement.kind == "WAREHOUSE":
        rows = [
            (
                each.name,
                "STARTED",
                "STANDARD",
                each.definition.get("WAREHOUSE_SIZE", "X-Small"),
                each.created_on,
                each.definition.get("COMMENT", ""),
            )
            for each in found
        ]
        return Result.of(["name", "state", "type", "size", "created_on", "comment"], rows)
    rows = [(each.created_on, each.name, each.kind, each.definition.get("COMMENT", "")) for each in found]
    return Result.of(["created_on", "name", "type", "comment"], rows)


def allowed_locations(session: Session, integration: str) -> list[str]:
    """URL prefixes that a storage integration allows a stage to have."""
    found = session.instance.catalog.get(session.duck, "STORAGE INTEGRATION", _key(integration))
    return found.definition["STORAGE_ALLOWED_LOCATIONS"]


def _kinds(kind: str) -> list[str]:
    return ["STORAGE INTEGRATION", "NOTIFICATION INTEGRATION"] if kind == "INTEGRATION" else [kind]
