"""Warehouses, integrations and other objects of the account; no statement really runs on a warehouse."""

from __future__ import annotations

import secrets

from . import errors, login_checks, notification_integrations, resource_monitors, warehouse_listing
from . import parameter_values as values
from .catalog import ACCOUNT, CatalogObject, like_pattern
from .context import Context
from .grammar import Alter, Create, Describe, Drop, Show
from .names import Key
from .privileges import Securable, kind_of
from .reader import Options
from .results import Result

# In AWS, the IAM user with which this account would assume an integration's role.
IAM_USER_ARN = "arn:aws:iam::000000000000:user/local-snowflake"


_PROPERTY_COLUMNS = ["property", "property_type", "property_value", "property_default"]
_TIMEOUTS = (values.STATEMENT_TIMEOUT, values.QUEUED_TIMEOUT)


def _key(name: str) -> Key:
    return (*ACCOUNT, name)


def create(context: Context, statement: Create) -> Result:
    """Record a warehouse, integration, role, ..., so that SHOW and DESC list it."""
    definition = dict(statement.options)
    if statement.kind == "STORAGE INTEGRATION":
        if definition.get("STORAGE_PROVIDER") != "S3":
            raise errors.unsupported("a storage integration with a provider other than 'S3'")
        if not definition.get("STORAGE_AWS_ROLE_ARN") or not definition.get("STORAGE_ALLOWED_LOCATIONS"):
            raise errors.compilation_error("Missing option(s): STORAGE_AWS_ROLE_ARN, STORAGE_ALLOWED_LOCATIONS.")
        # Unless the statement has one, a new one with each (re)creation: the role's trust policy has to be updated.
        definition.setdefault("STORAGE_AWS_EXTERNAL_ID", f"LOCAL_SFCRole=1_{secrets.token_hex(12)}")
    if statement.kind == notification_integrations.KIND:
        notification_integrations.check_integration(definition)
        definition["SF_AWS_EXTERNAL_ID"] = f"LOCAL_SFCRole=2_{secrets.token_hex(12)}"
    definition = _checked(context, statement.kind, definition)
    name = statement.name.last
    title = statement.kind.rsplit(" ", 1)[-1].capitalize()
    created = context.catalog.create(context.duck, statement, _key(name), definition)
    if created and statement.kind == "WAREHOUSE":
        context.instance.meter.define(name, definition)
        if not definition.get("INITIALLY_SUSPENDED", False):
            _resume(context, name)
    return Result.status(
        f"{title} {name} successfully created." if created else f"{name} already exists, statement succeeded."
    )


def alter(context: Context, statement: Alter) -> Result:
    name = statement.name.last
    found = context.catalog.find(context.duck, statement.kind, _key(name))
    if found is None and not statement.if_exists:
        raise errors.does_not_exist(statement.kind, name)
    if found and statement.action in ("SET", "UNSET"):
        changes = _checked(context, statement.kind, dict(statement.options))
        context.catalog.alter(context.duck, found, changes)
    if found and statement.kind == "WAREHOUSE":
        _meter_change(context, name, statement.action)
    return Result.status("Statement executed successfully.")


def _checked(context: Context, kind: str, options: Options) -> Options:
    """The options of an object, checked; None is UNSET.

    Raises:
        SnowflakeError: a value that the option can't have.
    """
    stated = {name: value for name, value in options.items() if value is not None}
    for name in _TIMEOUTS:
        if name in stated:
            options[name] = values.timeout_seconds(stated[name])
    if kind == "NETWORK POLICY":
        login_checks.check_network_policy(stated)
    if kind == "RESOURCE MONITOR":
        resource_monitors.check(stated)
    monitor = stated.get("RESOURCE_MONITOR")
    if kind == "WAREHOUSE" and monitor is not None and str(monitor).upper() != "NULL":
        context.catalog.get(context.duck, "RESOURCE MONITOR", _key(str(monitor).upper()))
        options["RESOURCE_MONITOR"] = str(monitor).upper()
    return options


def _meter_change(context: Context, name: str, action: str) -> None:
    changed = context.catalog.get(context.duck, "WAREHOUSE", _key(name))
    context.instance.meter.define(name, changed.definition)
    if action == "RESUME":
        _resume(context, name)
    elif action == "SUSPEND":
        context.instance.meter.suspend(name)


def _resume(context: Context, name: str) -> None:
    if context.query and context.query.charge:
        context.instance.meter.resume(name, context.query.charge)


def drop(context: Context, statement: Drop) -> Result:
    name = statement.name.last
    kinds = _kinds(statement.kind)
    for kind in kinds:
        if context.catalog.find(context.duck, kind, _key(name)):
            context.catalog.drop(context.duck, kind, _key(name))
            if kind == "WAREHOUSE":
                context.instance.meter.forget(name)
            return Result.status(f"{name} successfully dropped.")
    if statement.if_exists:
        return Result.status("Drop statement executed successfully.")
    raise errors.does_not_exist(statement.kind, name)


def describe(context: Context, statement: Describe) -> Result:
    """DESC INTEGRATION: its options, with the IAM user and the external id for the role's trust policy."""
    if "INTEGRATION" not in statement.kind:
        raise errors.unsupported(f"DESCRIBE {statement.kind}")
    name = statement.name.last
    found = next(
        (f for kind in _kinds(statement.kind) if (f := context.catalog.find(context.duck, kind, _key(name)))),
        None,
    )
    if found is None:
        raise errors.does_not_exist("Integration", name)
    options = found.definition
    if found.kind == notification_integrations.KIND:
        return Result.of(_PROPERTY_COLUMNS, _of_notification(options))
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
    return Result.of(_PROPERTY_COLUMNS, properties)


def _of_notification(options: Options) -> list[tuple[str, str, str, str]]:
    """DESC INTEGRATION of one for the errors of pipes: what the trust policy of its role in AWS needs."""
    return [
        ("ENABLED", "Boolean", str(options.get("ENABLED", True)).lower(), "false"),
        ("DIRECTION", "String", "OUTBOUND", "INBOUND"),
        ("AWS_SNS_TOPIC_ARN", "String", options["AWS_SNS_TOPIC_ARN"], ""),
        ("AWS_SNS_ROLE_ARN", "String", options["AWS_SNS_ROLE_ARN"], ""),
        ("SF_AWS_IAM_USER_ARN", "String", IAM_USER_ARN, ""),
        ("SF_AWS_EXTERNAL_ID", "String", options["SF_AWS_EXTERNAL_ID"], ""),
    ]


def show(context: Context, statement: Show) -> Result:
    found = [
        each
        for each in shown(context, statement.kind)
        if (statement.like is None or like_pattern(statement.like).fullmatch(each.name))
        and context.sees(_securable(each))
    ]
    if statement.kind == "WAREHOUSE":
        return warehouse_listing.rows(context, found)
    if statement.kind == "RESOURCE MONITOR":
        monitors = [
            (each.name, *resource_monitors.row(each.definition), each.created_on,
             context.grants.owner(_securable(each)), each.definition.get("COMMENT", ""))
            for each in found
        ]  # fmt: skip
        return Result.of(resource_monitors.COLUMNS, monitors)
    rows = [(each.created_on, each.name, each.kind, each.definition.get("COMMENT", "")) for each in found]
    return Result.of(["created_on", "name", "type", "comment"], rows)


def shown(context: Context, kind: str) -> list[CatalogObject]:
    """All objects of ``kind``, also those that the session may not see."""
    return [each for one in _kinds(kind) for each in context.catalog.objects(context.duck, one, ACCOUNT[0])]


def allowed_locations(context: Context, integration: str) -> list[str]:
    """The URL prefixes that a storage integration allows for stages."""
    found = context.catalog.get(context.duck, "STORAGE INTEGRATION", _key(integration))
    allowed: list[str] = found.definition["STORAGE_ALLOWED_LOCATIONS"]
    return allowed


def _securable(found: CatalogObject) -> Securable:
    return Securable(kind_of(found.kind), (found.name,))


def _kinds(kind: str) -> list[str]:
    return ["STORAGE INTEGRATION", "NOTIFICATION INTEGRATION"] if kind == "INTEGRATION" else [kind]
