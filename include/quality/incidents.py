"""Since when a rule fails and whether people know: each failure is told once, each recovery once.

The state of a rule is in its last row of DATA_QUALITY_RESULTS, in two columns:

- FAILING_SINCE: when the failure began; NULL where the rule passes and there is nothing to take back.
- ALERTED_AT: when people were last told that it fails; NULL where they were not, or were told that it is over.

The order is: store the results with the state they continue, publish, write down in the results what was told.  After a
crash in between, the next run (or the retry) finds what was not written down and tells it: at least once, and twice
only if the crash fell between the publication and its note.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Literal

import msgspec

#: A failure that lasts is told again after this time.
REMIND_AFTER = timedelta(hours=6)

Status = Literal["pass", "fail", "error", "removed"]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One row of DATA_QUALITY_RESULTS but for its run; times are naive UTC.

    ``status`` error: the rule could not run, there is no count.  ``status`` removed: it is no rule any more.
    """

    rule: str
    severity: str
    status: Status
    failed_count: int | None
    samples: list[str]
    message: str
    checked_at: datetime
    failing_since: datetime | None = None
    alerted_at: datetime | None = None

    @property
    def fails_the_run(self) -> bool:
        """A rule that can't run has failed, whatever its severity."""
        return self.status == "error" or (self.status == "fail" and self.severity == "fail")


def continued(found: Iterable[Result], last: Mapping[str, Result], now: datetime) -> list[Result]:
    """What was found, with the state of the ``last`` results by rule.

    A rule that is gone though people were told that it fails gets a row as well: they are to be told that, too.
    """
    results = [_continue(result, last.get(result.rule)) for result in found]
    gone = last.keys() - {result.rule for result in results}
    return results + [
        msgspec.structs.replace(
            last[rule], status="removed", failed_count=None, samples=[], message="No rule any more", checked_at=now
        )
        for rule in sorted(gone)
        if last[rule].alerted_at
    ]


def _continue(result: Result, last: Result | None) -> Result:
    is_told = last is not None and last.alerted_at is not None
    if result.status == "pass" and not is_told:
        return result
    since = last.failing_since if last is not None else None
    return msgspec.structs.replace(
        result, failing_since=since or result.checked_at, alerted_at=last.alerted_at if last is not None else None
    )


def due(results: Iterable[Result], now: datetime) -> list[Result]:
    """Of the results those that people are to be told of now: a new failure, or one that was told long ago."""
    return [
        result
        for result in results
        if result.fails_the_run and (result.alerted_at is None or now - result.alerted_at >= REMIND_AFTER)
    ]


def closings(results: Iterable[Result]) -> list[Result]:
    """Of the results those of which people believe that they fail, and that do not."""
    return [result for result in results if result.alerted_at is not None and not result.fails_the_run]
