"""Warehouses: which options a statement may give one, and with which values.

A warehouse has one cluster here, and nothing runs on it: what would change that is accepted at its default only.
"""

from __future__ import annotations

from typing import Any

from . import meter
from .errors import compilation_error, unsupported
from .reader import Options

KIND = "WAREHOUSE"
ACTIONS = ("SET", "UNSET", "RESUME", "SUSPEND")
_OPTIONS = {
    "AUTO_RESUME", "AUTO_SUSPEND", "COMMENT", "INITIALLY_SUSPENDED", "RESOURCE_MONITOR",
    "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS", "STATEMENT_TIMEOUT_IN_SECONDS", "WAIT_FOR_COMPLETION", "WAREHOUSE_SIZE",
}  # fmt: skip
_DEFAULTS: dict[str, Any] = {
    "ENABLE_QUERY_ACCELERATION": False,
    "MAX_CLUSTER_COUNT": 1,
    "MAX_CONCURRENCY_LEVEL": 8,
    "MIN_CLUSTER_COUNT": 1,
    "QUERY_ACCELERATION_MAX_SCALE_FACTOR": 8,
    "SCALING_POLICY": "STANDARD",
    "WAREHOUSE_TYPE": "STANDARD",
}
# WAIT_FOR_COMPLETION: here a size changes at once.
_SWITCHES = ("AUTO_RESUME", "INITIALLY_SUSPENDED", "WAIT_FOR_COMPLETION")


def check(options: Options, *, unset: bool = False) -> None:
    """Refuse options and values that a warehouse does not have, or not here.

    Args:
        unset: the statement takes these options away.

    Raises:
        SnowflakeError: one of them is such an option or value.
    """
    for name, value in options.items():
        if name not in _OPTIONS and name not in _DEFAULTS:
            raise unsupported(f"{name} of a warehouse")
        if unset:
            continue
        if name in _DEFAULTS and str(value).upper() != str(_DEFAULTS[name]).upper():
            raise unsupported(f"{name} = {value} of a warehouse")
        if not _is_possible(name, value):
            raise compilation_error(f"invalid value [{value}] for parameter '{name}'", 1008, "22023")


def _is_possible(name: str, value: Any) -> bool:
    if name in _SWITCHES:
        return isinstance(value, bool)
    if name == "AUTO_SUSPEND":
        return value is None or str(value).isdigit()
    return name != "WAREHOUSE_SIZE" or meter.size_of({name: value}) in meter.SIZES
