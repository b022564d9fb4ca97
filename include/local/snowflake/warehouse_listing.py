"""SHOW WAREHOUSES, with the columns that Snowflake's documentation lists.

A warehouse has one cluster, nothing runs on it and nothing waits for it: the columns about these are 0.
"""

from __future__ import annotations

from typing import Any

from .catalog import CatalogObject
from .context import Context
from .meter import DEFAULT_AUTO_SUSPEND
from .privileges import Securable
from .results import Result

_COLUMNS = [
    "name", "state", "type", "size", "min_cluster_count", "max_cluster_count", "started_clusters", "running",
    "queued", "is_default", "is_current", "auto_suspend", "auto_resume", "available", "provisioning", "quiescing",
    "other", "created_on", "resumed_on", "updated_on", "owner", "comment", "enable_query_acceleration",
    "query_acceleration_max_scale_factor", "resource_monitor", "actives", "pendings", "failed", "suspended",
    "uuid", "scaling_policy", "budget", "owner_role_type", "resource_constraint",
]  # fmt: skip


def rows(context: Context, warehouses: list[CatalogObject]) -> Result:
    """One row per warehouse of ``warehouses``."""
    return Result.of(_COLUMNS, [list(_row(context, each).values()) for each in warehouses])


def _row(context: Context, warehouse: CatalogObject) -> dict[str, Any]:
    definition, meter = warehouse.definition, context.instance.meter
    runs = meter.is_running(warehouse.name)
    return {
        "name": warehouse.name,
        "state": "STARTED" if runs else "SUSPENDED",
        "type": "STANDARD",
        "size": definition.get("WAREHOUSE_SIZE", "X-Small"),
        "min_cluster_count": 1,
        "max_cluster_count": 1,
        "started_clusters": int(runs),
        "running": 0,
        "queued": 0,
        "is_default": "N",
        "is_current": "Y" if context.warehouse == warehouse.name else "N",
        "auto_suspend": definition.get("AUTO_SUSPEND", DEFAULT_AUTO_SUSPEND),
        "auto_resume": str(definition.get("AUTO_RESUME", True)).lower(),
        "available": "100" if runs else "",
        "provisioning": "0" if runs else "",
        "quiescing": "0" if runs else "",
        "other": "0" if runs else "",
        "created_on": warehouse.created_on,
        "resumed_on": meter.resumed_at(warehouse.name) or warehouse.created_on,
        "updated_on": warehouse.created_on,
        "owner": context.grants.owner(Securable("WAREHOUSE", (warehouse.name,))),
        "comment": definition.get("COMMENT", ""),
        "enable_query_acceleration": "false",
        "query_acceleration_max_scale_factor": 8,
        "resource_monitor": definition.get("RESOURCE_MONITOR") or "null",
        "actives": 0,
        "pendings": 0,
        "failed": 0,
        "suspended": 0,
        "uuid": warehouse.uid,
        "scaling_policy": "STANDARD",
        "budget": None,
        "owner_role_type": "ROLE",
        "resource_constraint": None,
    }
