"""The summary of an erasure, written for a terminal or a task's log."""

from __future__ import annotations

from collections.abc import Iterator

from include import names
from include.erasure.eraser import ErasureSummary


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
