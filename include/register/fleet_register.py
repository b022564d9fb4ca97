"""Applies a change to the register in Snowflake, or shows what it would do."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from include import sql
from include.register.register_change import ASSIGN, BEGINNING, OPEN, REGISTER, RETIRE, UNDO, RegisterChange
from include.snowflake_rows import changed_rows, first_row, rows_by_column

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

FOLDER = "register"
_STATEMENTS = {
    REGISTER: "register_truck.sql",
    RETIRE: "retire_truck.sql",
    ASSIGN: "assign_tracker.sql",
    UNDO: "undo_assignment.sql",
}


class RefusedError(ValueError):
    """The register does not permit the change; nothing was changed."""


class Effect(msgspec.Struct, kw_only=True):
    """What a change did, or would do.

    Attributes:
        rows: rows of the register that changed.
        readings: instants whose readings move to another truck, or back.
        first, last: the first and the last of these instants (UTC).
        versions_before, versions_after: truck -> versions of its history; empty if no history changes.
    """

    dry_run: bool
    rows: int
    readings: int = 0
    first: datetime | None = None
    last: datetime | None = None
    versions_before: dict[str, int] = {}
    versions_after: dict[str, int] = {}


def apply(connection: SnowflakeConnection, change: RegisterChange, *, dry_run: bool) -> Effect:
    """Apply ``change`` in one transaction.  A dry run does the same, and rolls it back.

    Idempotent: the same change again has no effect.

    Args:
        connection: with database and schema set, and autocommit on: the transaction is begun here.

    Raises:
        RefusedError: the register does not permit it.
        snowflake.connector.errors.Error: a statement failed; nothing was changed.
    """
    with closing(connection.cursor()) as cursor:
        cursor.execute("begin")
        try:
            effect = _change(connection, change, dry_run)
        except BaseException:
            cursor.execute("rollback")
            raise
        cursor.execute("rollback" if dry_run else "commit")
    return effect


def effect_report(change: RegisterChange, effect: Effect) -> str:
    """A few lines for a task's log: what changed, and what that means for the histories."""
    count = "1 change" if effect.rows == 1 else f"{effect.rows or 'no'} changes"
    lines = [f"{change.action}: {count} of the register{' (dry run)' if effect.dry_run else ''}"]
    if change.action in (ASSIGN, UNDO):
        span = f", {effect.first} to {effect.last}" if effect.readings else ""
        lines.append(f"{effect.readings:,} instants of {change.reported_id} move{span}")
        for truck in sorted(effect.versions_before.keys() | effect.versions_after.keys()):
            before, after = effect.versions_before.get(truck, 0), effect.versions_after.get(truck, 0)
            lines.append(f"{truck}: {before:,} versions before, {after:,} after")
    if effect.dry_run:
        lines.append("Nothing was changed: switch off the dry run to do it")
    return "\n".join(lines)


def _change(connection: SnowflakeConnection, change: RegisterChange, dry_run: bool) -> Effect:
    if change.action == RETIRE:
        _check_registered(connection, change)
    if change.action == UNDO:
        return _undone(connection, change, dry_run)
    if change.action == ASSIGN:
        _check_free(connection, change)
        return _moved(connection, change, dry_run)
    return Effect(dry_run=dry_run, rows=_execute(connection, change))


def _check_registered(connection: SnowflakeConnection, change: RegisterChange) -> None:
    (found,) = first_row(connection, _text("registered_truck.sql"), msgspec.structs.asdict(change))
    if not found:
        raise RefusedError(f"{change.truck_id} is not in the register: check the id, or register it first")


def _check_free(connection: SnowflakeConnection, change: RegisterChange) -> None:
    overlapping = rows_by_column(connection, _text("overlapping_assignments.sql"), msgspec.structs.asdict(change))
    if overlapping:
        periods = "; ".join(
            f"to {row['TRUCK_ID']} {_period(row['FROM_TIME'], row['UNTIL_TIME'])}" for row in overlapping
        )
        raise RefusedError(
            f"readings of {change.reported_id} are assigned already: {periods}. A reading belongs to one truck: undo "
            "that assignment first, or choose another period"
        )


def _undone(connection: SnowflakeConnection, change: RegisterChange, dry_run: bool) -> Effect:
    """Undo the assignment that begins at ``since``; there may be none."""
    found = rows_by_column(connection, _text("assignment.sql"), msgspec.structs.asdict(change))
    if not found:
        return Effect(dry_run=dry_run, rows=0)
    (row,) = found
    whole = msgspec.structs.replace(change, truck_id=row["TRUCK_ID"], until=row["UNTIL_TIME"].isoformat())
    return _moved(connection, whole, dry_run)


def _moved(connection: SnowflakeConnection, change: RegisterChange, dry_run: bool) -> Effect:
    """Make a change that moves readings between trucks, and count what it moves."""
    binds = msgspec.structs.asdict(change)
    before = _versions(connection, change)
    rows = _execute(connection, change)
    readings, first, last = first_row(connection, _text("readings_of_period.sql"), binds)
    return Effect(
        dry_run=dry_run,
        rows=rows,
        readings=readings,
        first=first,
        last=last,
        versions_before=before,
        versions_after=_versions(connection, change),
    )


def _versions(connection: SnowflakeConnection, change: RegisterChange) -> dict[str, int]:
    rows = rows_by_column(connection, _text("count_versions.sql"), msgspec.structs.asdict(change))
    return {row["TRUCK_ID"]: int(row["VERSIONS"]) for row in rows}


def _execute(connection: SnowflakeConnection, change: RegisterChange) -> int:
    counts = changed_rows(connection, _text(_STATEMENTS[change.action]), msgspec.structs.asdict(change))
    return sum(counts.values())


def _text(file: str) -> str:
    return sql.render(f"{FOLDER}/{file}")


def _period(since: datetime, until: datetime) -> str:
    begins = "from the beginning" if since == datetime.fromisoformat(BEGINNING) else f"from {since}"
    return begins if until == datetime.fromisoformat(OPEN) else f"{begins} until {until}"
