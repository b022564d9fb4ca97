"""The results of a replay: counted while it runs, summarized, and written for a terminal or a task's log."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from itertools import chain

import msgspec

from include.replay.selection import Selection

# How an attempt can end, as histories and summaries say it.
RESOLVED, STILL_INVALID, RAISED, REFUSED = "resolved", "still_invalid", "raised", "refused"
# Moved by another replay; not sent because too many records before it failed, or because it has got a verdict that the
# plan does not take.
GONE, NOT_TRIED, LEFT_OUT = "gone", "not_tried", "left_out"

ERRORS_KEPT = 10


class ReplayResults:
    """Counts each record's outcome.  Thread-safe."""

    def __init__(self) -> None:
        # Outcome -> records.
        self.outcomes: Counter[str] = Counter()
        # Present reason -> records that are still invalid.
        self.still_invalid: Counter[str] = Counter()
        self.errors: list[str] = []
        self._lock = threading.Lock()

    def count(self, outcome: str, records: int = 1) -> None:
        if records:
            with self._lock:
                self.outcomes[outcome] += records

    def count_still_invalid(self, reason: str) -> None:
        with self._lock:
            self.outcomes[STILL_INVALID] += 1
            self.still_invalid[reason] += 1

    def add_error(self, text: str) -> None:
        with self._lock:
            if len(self.errors) < ERRORS_KEPT:
                self.errors.append(text)


class ReplaySummary(msgspec.Struct, kw_only=True):
    """The records that a plan selected, and their outcomes."""

    dry_run: bool
    # Stream -> reason -> records.
    chosen: dict[str, dict[str, int]]
    # Arrival times.
    oldest: str | None
    newest: str | None
    # There are more records than the plan's limit.
    limited: bool
    # Outcome -> records; they add up to those of ``chosen``.  Empty after a dry run.
    outcomes: dict[str, int]
    # Present reason -> records that are still invalid.
    still: dict[str, int]
    # Keys below quarantine/ that are no quarantine objects, or damaged ones.
    unreadable: list[str]
    # Batches that a mapping gave up on and that were not in quarantine yet.
    abandoned: int
    # Those of them that could not be moved into quarantine: key -> error.
    not_taken_in: dict[str, str]
    # The first errors of batches that made the function raise or were refused, at most one per batch.
    errors: list[str]

    @property
    def total(self) -> int:
        return sum(chain.from_iterable(reasons.values() for reasons in self.chosen.values()))

    @property
    def failed(self) -> bool:
        """Whether somebody must act.  A record that is still invalid has its answer; these have none."""
        return bool(
            self.not_taken_in
            or self.unreadable
            or any(self.outcomes.get(outcome) for outcome in (RAISED, REFUSED, NOT_TRIED))
        )


def summarize(
    selection: Selection, results: ReplayResults, *, dry_run: bool, abandoned: int, not_taken_in: dict[str, str]
) -> ReplaySummary:
    """The summary of a run that has ended."""
    by_stream: dict[str, Counter[str]] = {}
    for record in selection.records:
        by_stream.setdefault(record.stream, Counter())[record.reason] += 1
    arrivals = [record.arrival_time for record in selection.records]
    return ReplaySummary(
        dry_run=dry_run,
        chosen={stream: dict(reasons.most_common()) for stream, reasons in by_stream.items()},
        oldest=min(arrivals, default=None),
        newest=max(arrivals, default=None),
        limited=selection.is_limited,
        outcomes=dict(results.outcomes),
        still=dict(results.still_invalid.most_common()),
        unreadable=selection.unreadable,
        abandoned=abandoned,
        not_taken_in=not_taken_in,
        errors=results.errors,
    )


def replay_report(summary: ReplaySummary) -> str:
    """A few lines: what was selected, its outcomes, and what needs a person."""
    return "\n".join(_lines(summary))


def _lines(summary: ReplaySummary) -> Iterator[str]:
    for stream, reasons in summary.chosen.items():
        counts = ", ".join(f"{reason} {count:,}" for reason, count in reasons.items())
        yield f"{stream}: {sum(reasons.values()):,} in quarantine: {counts}"
    if summary.total:
        more = " (there are more: the limit was reached)" if summary.limited else ""
        yield f"Arrived {summary.oldest} to {summary.newest}{more}"
    else:
        yield "No record in quarantine matches."
    if summary.abandoned:
        if summary.dry_run:
            yield f"{summary.abandoned:,} abandoned batches are not in quarantine yet; a replay moves them there first"
        else:
            moved = summary.abandoned - len(summary.not_taken_in)
            yield f"{moved:,} of {summary.abandoned:,} abandoned batches moved into quarantine"
    if summary.outcomes:
        yield "Replayed: " + ", ".join(f"{outcome} {count:,}" for outcome, count in sorted(summary.outcomes.items()))
    if summary.still:
        yield "Still invalid: " + ", ".join(f"{reason} {count:,}" for reason, count in summary.still.items())
    yield from (f"Not moved into quarantine: {key}: {error}" for key, error in summary.not_taken_in.items())
    yield from (f"Not a quarantine object: {key}" for key in summary.unreadable)
    yield from summary.errors
