"""Resource monitors: what a statement says of one.  They are recorded and shown; nothing is suspended by them here."""

from __future__ import annotations

from .errors import compilation_error, unsupported
from .reader import Options, Reader

_ACTIONS = ("SUSPEND_IMMEDIATE", "SUSPEND", "NOTIFY")
_FREQUENCIES = ("MONTHLY", "DAILY", "WEEKLY", "YEARLY", "NEVER")
COLUMNS = ["name", "credit_quota", "frequency", "start_time", "notify_at", "suspend_at", "suspend_immediately_at",
           "created_on", "owner", "comment"]  # fmt: skip


def triggers(reader: Reader) -> list[list[object]]:
    """TRIGGERS ON 80 PERCENT DO NOTIFY ...: the percentage and the action of each."""
    reader.expect("TRIGGERS")
    found: list[list[object]] = []
    while reader.accept("ON"):
        percent = int(reader.next().text)
        reader.expect("PERCENT")
        reader.expect("DO")
        action = next((action for action in _ACTIONS if reader.accept(action)), None)
        if action is None:
            raise reader.error()
        found.append([percent, action])
    if not found:
        raise reader.error()
    return found


def check(options: Options) -> None:
    """Refuse options that a resource monitor does not have.

    Raises:
        SnowflakeError: an unknown option or frequency, or a frequency without a start.
    """
    if unknown := set(options) - {"CREDIT_QUOTA", "FREQUENCY", "START_TIMESTAMP", "TRIGGERS", "COMMENT"}:
        raise unsupported(f"{sorted(unknown)[0]} of a resource monitor")
    frequency = options.get("FREQUENCY")
    if frequency is not None and str(frequency).upper() not in _FREQUENCIES:
        raise compilation_error(f"invalid value [{frequency}] for parameter 'FREQUENCY'", 1008, "22023")
    if (frequency is None) != ("START_TIMESTAMP" not in options):
        raise compilation_error("FREQUENCY and START_TIMESTAMP must be set together.", 1008, "22023")


def row(options: Options) -> tuple[str | None, ...]:
    """The columns of SHOW RESOURCE MONITORS from credit_quota to suspend_immediately_at."""
    at = {action: [f"{percent}%" for percent, of in options.get("TRIGGERS", []) if of == action] for action in _ACTIONS}
    quota = options.get("CREDIT_QUOTA")
    return (
        None if quota is None else str(quota), str(options.get("FREQUENCY", "MONTHLY")).upper(),
        str(options.get("START_TIMESTAMP", "")), ",".join(at["NOTIFY"]) or None, ",".join(at["SUSPEND"]) or None,
        ",".join(at["SUSPEND_IMMEDIATE"]) or None,
    )  # fmt: skip
