"""A summary in words, for a terminal and for a task's log."""

from __future__ import annotations

from collections.abc import Iterator

from include import names
from include.erasure.run import Summary


def lines(summary: Summary) -> Iterator[str]:
    """A few lines: what there was of the truck, what became of it, and what needs somebody."""
    for prefix, erased in summary.stores.items():
        done = "" if summary.dry_run else f"; {erased.rewritten:,} objects rewritten, {erased.deleted:,} deleted"
        kept = f"; {erased.unattributable:,} records that nobody can attribute stay" if erased.unattributable else ""
        old = f", {erased.outdated:,} old versions" if erased.outdated else ""
        yield f"{prefix}: {erased.records:,} records{old} of {summary.truck_id} in {erased.read:,} versions{done}{kept}"
    yield f"{names.TRUCK_STATE_TABLE}: {int(summary.state)} rows"
    yield from (f"can't be read, and stays: {key}" for key in summary.unreadable)
    if summary.dry_run:
        return
    if summary.is_clean:
        yield (
            f"Look {summary.looks} found nothing. What was in flight may still come: run it again when the streams "
            f"have forgotten it, since {summary.started_at} (docs/erasure.md)."
        )
    else:
        yield f"After {summary.looks} looks there is still new data of {summary.truck_id}: does it still send?"
