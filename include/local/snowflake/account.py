"""Warehouses, integrations and other objects of the account; no statement really runs on a warehouse."""

from __future__ import annotations

import secrets

from . import errors, login_checks, notification_integrations, resource_monitors, warehouse_listing, warehouses
from . import parameter_values as values
from .catalog import ACCOUNT, CatalogObject
from .context import Context
from .grammar import Alter, Create, Describe, Drop, Show
from .names import Key
from .privileges import Securable, kind_of
from .reader import Options
from .results import Result

# In AWS, the IAM user with which this account would assume an integration's role.
IAM_USER_ARN = "arn:aws:iam::000000000000:user/local-snowflake"


_PROPERTY_COLUMNS = ["property", "property_type", "property_value", "property_default"]
# What UNSET takes away from other objects than a warehouse.
_UNSETTABLE = {"COMMENT", "STORAGE_BLOCKED_LOCATIONS"}
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
    if created and statement.kind == warehouses.KIND:
        context.instance.meter.define(name, definition)
        if not definition.get("INITIALLY_SUSPENDED", False):
            _resume(context, name)
    return Result.status(
        f"{title} {name} successfully created." if created else f"{name} already exists, statement succeeded."
    )


def alter(context: Context, statement: Alter) -> Result:
    name = statement.name.last
    is_warehouse = statement.kind == warehouses.KIND
    if statement.action not in (warehouses.ACTIONS if is_warehouse else ("SET", "UNSET")):
        raise errors.unsupported(f"ALTER {statement.kind} ... {statement.action}")
    found = context.catalog.find(context.duck, statement.kind, _key(name))
    if found is None and not statement.if_exists:
        raise errors.does_not_exist(statement.kind, name)
    if found and statement.action == "SET":
        context.catalog.alter(context.duck, found, _checked(context, statement.kind, dict(statement.options)))
    if found and statement.action == "UNSET":
        _unset(context, found, statement.options)
    if found and is_warehouse:
        _meter_change(context, statement)
    return Result.status("Statement executed successfully.")


def _unset(context: Context, found: CatalogObject, options: Options) -> None:
    """Take options away from an object, which then has their defaults."""
    if found.kind == warehouses.KIND:
        warehouses.check(options, unset=True)
    elif unknown := set(options) - _UNSETTABLE:
        raise errors.unsupported(f"ALTER {found.kind} ... UNSET {sorted(unknown)[0]}")
    left = {name: value for name, value in found.definition.items() if name not in options}
    context.catalog.redefine(context.duck, found, left)


def _checked(context: Context, kind: str, options: Options) -> Options:
    """The options of an object, checked; None is NULL.

    Raises:
        SnowflakeError: an option that it does not have, or a value that the option can't have.
    """
    if kind == warehouses.KIND:
        warehouses.check(options)
    stated = {name: value for name, value in options.items() if value is not None}
    for name in _TIMEOUTS:
        if name in stated:
            options[name] = values.timeout_seconds(stated[name])
    if kind == "NETWORK POLICY":
        login_checks.check_network_policy(stated)
    if kind == "RESOURCE MONITOR":
        resource_monitors.check(stated)
    monitor = stated.get("RESOURCE_MONITOR")
    if kind == warehouses.KIND and monitor is not None and str(monitor).upper() != "NULL":
        context.catalog.get(context.duck, "RESOURCE MONITOR", _key(str(monitor).upper()))
        options["RESOURCE_MONITOR"] = str(monitor).upper()
    return options


def _meter_change(context: Context, statement: Alter) -> None:
    name, meter = statement.name.last, context.instance.meter
    meter.define(name, context.catalog.get(context.duck, warehouses.KIND, _key(name)).definition)
    if statement.action == "RESUME":
        if meter.is_running(name) and not statement.options.get("IF_SUSPENDED"):
            raise errors.SnowflakeError(f"Invalid state. Warehouse '{name}' cannot be resumed.", 90063, "22000")
        _resume(context, name)
    elif statement.action == "SUSPEND":
        meter.suspend(name)


def _resume(context: Context, name: str) -> None:
    if context.query and context.query.charge:
        context.instance.meter.resume(name, context.query.charge)


def drop(context: Context, statement: Drop) -> Result:
    name = statement.name.last
    kinds = _kinds(statement.kind)
    for kind in kinds:
        if context.catalog.find(context.duck, kind, _key(name)):
            context.catalog.drop(context.duck, kind, _key(name))
            if kind == warehouses.KIND:
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
        if statement.matches(each.name) and context.sees(_securable(each))
    ]
    if statement.kind == warehouses.KIND:
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


def check_location(context: Context, integration: str, url: str) -> None:
    """Refuse a place in S3 that a storage integration does not let its stages use.

    Raises:
        SnowflakeError: it is blocked or not allowed, or the integration is missing or disabled.
    """
    options = context.catalog.get(context.duck, "STORAGE INTEGRATION", _key(integration)).definition
    if options.get("ENABLED", True) is not True:
        raise errors.compilation_error(f"Integration '{integration}' is not enabled.")
    blocked = options.get("STORAGE_BLOCKED_LOCATIONS") or []
    if not _is_in(url, options["STORAGE_ALLOWED_LOCATIONS"]) or _is_in(url, blocked):
        raise errors.compilation_error(
            f"Location '{url}' is not allowed by integration {integration}. "
            "Please use DESC INTEGRATION to check out allowed and blocked locations.",
            3131,
        )


def _is_in(url: str, locations: list[str]) -> bool:
    return any(each == "*" or f"{url.rstrip('/')}/".startswith(f"{each.rstrip('/')}/") for each in locations)


def _securable(found: CatalogObject) -> Securable:
    return Securable(kind_of(found.kind), (found.name,))


def _kinds(kind: str) -> list[str]:
    return ["STORAGE INTEGRATION", "NOTIFICATION INTEGRATION"] if kind == "INTEGRATION" else [kind]
