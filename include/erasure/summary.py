"""The results of an erasure: counted, and written for a terminal or a task's log."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from include import names


class ErasedRecords(msgspec.Struct, kw_only=True):
    """What one store had of the truck, and what became of it (nothing, in a dry run)."""

    # Versions of objects that were read, current or not.
    read: int = 0
    # The truck's records in current versions.
    records: int = 0
    # Noncurrent versions with records of the truck.
    outdated: int = 0
    # Current objects that were stored again without the truck, or deleted because they had nothing else.
    rewritten: int = 0
    deleted: int = 0
    # Records in current versions that nobody can attribute to a truck: they stay.
    unattributable: int = 0
    # Keys of objects that cannot be read: they stay, and a person must check them.  The first hundred.
    unreadable: list[str] = msgspec.field(default_factory=list)

    @property
    def found(self) -> int:
        return self.records + self.outdated


class ErasureSummary(msgspec.Struct, kw_only=True):
    """What one run found and did."""

    truck_id: str
    dry_run: bool
    # Canonical UTC text: a later run has to read only what was stored after this.
    started_at: str
    # Prefix -> records, in the order of the flow.
    stores: dict[str, ErasedRecords]
    # Whether TruckLatestState had the truck.
    state: bool = False
    passes: int = 0
    # The last pass found nothing.  Never after a dry run that found something.
    is_clean: bool = False

    @property
    def found(self) -> int:
        return sum(store.found for store in self.stores.values()) + self.state

    @property
    def unreadable(self) -> list[str]:
        return [key for store in self.stores.values() for key in store.unreadable]

    @property
    def failed(self) -> bool:
        """Whether somebody must act before the truck can be called erased."""
        return bool(self.unreadable) or not (self.dry_run or self.is_clean)


def erasure_report(summary: ErasureSummary) -> str:
    """A few lines: what was found of the truck, what became of it, and what needs a person."""
    return "\n".join(_lines(summary))


def _lines(summary: ErasureSummary) -> Iterator[str]:
    for prefix, erased in summary.stores.items():
        done = "" if summary.dry_run else f"; {erased.rewritten:,} objects rewritten, {erased.deleted:,} deleted"
        kept = f"; {erased.unattributable:,} records that nobody can attribute stay" if erased.unattributable else ""
        old = f", {erased.outdated:,} old versions" if erased.outdated else ""
        yield f"{prefix}: {erased.records:,} records{old} of {summary.truck_id} in {erased.read:,} versions{done}{kept}"
    yield f"{names.TRUCK_STATE_TABLE}: {int(summary.state)} rows"
    yield from (f"Unreadable, and stays: {key}" for key in summary.unreadable)
    if summary.dry_run:
        return
    if summary.is_clean:
        yield (
            f"Pass {summary.passes} found nothing. Records in flight can still arrive: run it again when the streams "
            f"no longer hold them, with since {summary.started_at} (docs/erasure.md)."
        )
    else:
        yield f"After {summary.passes} passes there is still new data of {summary.truck_id}: does it still send?"
