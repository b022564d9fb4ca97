"""A summary in words, for a terminal and for a task's log."""

from __future__ import annotations

from collections.abc import Iterator

from include.replay.run import Summary


def lines(summary: Summary) -> Iterator[str]:
    """A few lines: what was chosen, what became of it, and what needs somebody."""
    for stream, reasons in summary.chosen.items():
        counts = ", ".join(f"{reason} {count:,}" for reason, count in reasons.items())
        yield f"{stream}: {sum(reasons.values()):,} in quarantine: {counts}"
    if summary.total:
        more = " (there are more: --limit was reached)" if summary.limited else ""
        yield f"arrived {summary.oldest} to {summary.newest}{more}"
    else:
        yield "Nothing in quarantine is chosen by that."
    if summary.abandoned:
        left = len(summary.not_taken_in)
        done = "not yet in quarantine; a replay takes them in first" if summary.dry_run else f"taken in, but for {left}"
        yield f"{summary.abandoned:,} abandoned batches {done}"
    if summary.outcomes:
        yield "Replayed: " + ", ".join(f"{outcome} {count:,}" for outcome, count in sorted(summary.outcomes.items()))
    if summary.still:
        yield "Still invalid: " + ", ".join(f"{reason} {count:,}" for reason, count in summary.still.items())
    yield from (f"not taken in: {key}: {error}" for key, error in summary.not_taken_in.items())
    yield from (f"not a quarantine object: {key}" for key in summary.unreadable)
    yield from summary.errors
