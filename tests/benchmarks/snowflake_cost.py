"""Simulates days of the pipeline on the local Snowflake's meter, and prints what they cost.

    python -m tests.benchmarks.snowflake_cost

The table is that of docs/cost.md (tests/unit/test_cost.py compares).  A task is its statements on the warehouse: how
many it sends was measured on the local stack, how long each takes is assumed below.  When it runs follows from its
schedule and the settings.
"""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from include.local.snowflake.meter import GB, PIPE_CREDITS_PER_GB, Assumptions, Meter

HOUR, DAY = 3600, 86_400
START = datetime(2026, 11, 27, tzinfo=UTC)
WAREHOUSE, READER_WAREHOUSE = "WH", "READER_WH"
# The dashboard's warehouse, and how often a page asks it (dashboard/data/lifetimes.py: history, checks, slow, past).
READER_AUTO_SUSPEND = 60
PAGE_LIFETIMES = (30, 60, 300, 3600)

# Statements that need the warehouse, as the local meter counts them (a fleet of three trucks).
STATEMENTS = {"monitor": 1, "reconcile": 12, "alerts": 1}
# A merge: the lease (two), where to begin, the MERGE, its record, the lease again.
BEFORE_MERGE, AFTER_MERGE = 3, 2
# Assumed of an account: seconds of one small statement on an X-Small warehouse, and of the MERGE.
STATEMENT_SECONDS = 0.5
MERGE_SECONDS, MERGE_READINGS_PER_SECOND = 2.0, 20_000
# A check of the rules: those that look equally far back are one statement, assumed as long as ten small ones.  The
# others: the last results (two), what is staged of DynamoDB (three), new readings, open findings, old and new results.
CHECK = (*[STATEMENT_SECONDS] * 9, *[10 * STATEMENT_SECONDS] * 2)
CHECK_BEFORE = (STATEMENT_SECONDS,) * 41
# Airflow: from an event to the first statement of its task; how much later than its interval the stream is asked; and
# from the end of a merge to the check that follows it.
TASK_LATENCY, POLL_LATENCY, CHECK_LATENCY = 5.0, 1.3, 12.0
# A line of a landing file, unpacked, in bytes.
LINE_BYTES = 1_000
# As in check_pipe.py and due.py.
LONGEST_WAIT = 14 * 60


@dataclass(frozen=True)
class Setup:
    """Settings, and whether tasks ask what is free first."""

    name: str
    merge_interval: int  # s
    quality_interval: int  # s
    auto_suspend: int  # s
    asks_first: bool = True
    check: tuple[float, ...] = CHECK  # s, of each of its statements

    def freshness(self) -> tuple[float, float]:
        """How old a reading is when the history has it, in seconds: on average, and at most."""
        work = TASK_LATENCY + BEFORE_MERGE * STATEMENT_SECONDS + MERGE_SECONDS
        return self.merge_interval / 2 + work, self.merge_interval + work


BEFORE = Setup("before", merge_interval=60, quality_interval=0, auto_suspend=60, asks_first=False, check=CHECK_BEFORE)
MINUTE = Setup("about a minute (default)", merge_interval=150, quality_interval=300, auto_suspend=20)
SECONDS = replace(MINUTE, name="seconds", merge_interval=10, quality_interval=300)
QUARTER = replace(MINUTE, name="a quarter of an hour", merge_interval=900, quality_interval=900)


class Simulation:
    """The pipeline's tasks, as processes that share a clock and a warehouse."""

    def __init__(self, setup: Setup, readings_per_second: float, seconds: int) -> None:
        self._setup, self._rate, self._seconds = setup, readings_per_second, seconds
        self._now = 0.0
        self.meter = Meter(lambda: START + timedelta(seconds=self._now), Assumptions(STATEMENT_SECONDS))
        self.meter.define(WAREHOUSE, {"AUTO_SUSPEND": setup.auto_suspend})
        self._order = itertools.count()
        self._queue: list[tuple[float, int, Iterator[float]]] = []
        self._checked_at = self._looked_at = 0.0

    def run(self) -> Simulation:
        if self._rate:
            self._start(0, self._merges())
        self._start(0, self._by_clock(300, 0, self._monitor))
        self._start(0, self._by_clock(900, 0, self._check_by_clock))
        self._start(0, self._by_clock(HOUR, 20 * 60, self._reconcile))
        self._start(0, self._by_clock(HOUR, 40 * 60, self._send_alerts))
        while self._queue and self._queue[0][0] < self._seconds:
            self._now, _, process = heapq.heappop(self._queue)
            if (pause := next(process, None)) is not None:
                self._start(pause, process)
        return self

    def _start(self, after: float, process: Iterator[float]) -> None:
        heapq.heappush(self._queue, (self._now + after, next(self._order), process))

    def _statements(self, task: str, *seconds: float, warehouse: str = WAREHOUSE) -> Iterator[float]:
        for each in seconds:
            charge = self.meter.begin(task, None, task)
            self.meter.use(charge, warehouse)
            yield each
            self.meter.end(charge)

    def _by_clock(self, every: int, first: int, begin: object) -> Iterator[float]:
        yield first + TASK_LATENCY
        while True:
            if callable(begin):
                self._start(0, begin())
            yield every

    # --- tasks -------------------------------------------------------------------------------------------------------

    def visit(self, lifetime: int, until: int) -> None:
        """Ask the reader's warehouse once per lifetime, until the browser is closed."""
        self._start(0, self._page(lifetime, until))

    def _page(self, lifetime: int, until: int) -> Iterator[float]:
        while self._now < until:
            yield from self._statements("page", STATEMENT_SECONDS, warehouse=READER_WAREHOUSE)
            yield lifetime - STATEMENT_SECONDS

    def _merges(self) -> Iterator[float]:
        yield TASK_LATENCY
        while True:
            self._start(0, self._merge())
            yield self._setup.merge_interval + POLL_LATENCY

    def _merge(self) -> Iterator[float]:
        readings = self._rate * self._setup.merge_interval
        merge = MERGE_SECONDS + readings / MERGE_READINGS_PER_SECOND
        small = STATEMENT_SECONDS
        yield from self._statements("merge", *[small] * BEFORE_MERGE, merge, *[small] * AFTER_MERGE)
        yield CHECK_LATENCY
        if self._now - self._checked_at >= self._setup.quality_interval:
            yield from self._check()

    def _check(self) -> Iterator[float]:
        self._checked_at = self._now
        yield from self._statements("quality", *self._setup.check)

    def _check_by_clock(self) -> Iterator[float]:
        age = self._now - self._checked_at
        awake = self.meter.is_running(WAREHOUSE)
        has_news = self._rate and age >= self._setup.quality_interval and (awake or age >= LONGEST_WAIT)
        if has_news or not self._setup.asks_first:
            yield from self._check()

    def _monitor(self) -> Iterator[float]:
        waited = self._now - self._looked_at >= LONGEST_WAIT
        if not self._setup.asks_first or (self._rate and (waited or self.meter.is_running(WAREHOUSE))):
            self._looked_at = self._now
            yield from self._small("monitor")

    def _reconcile(self) -> Iterator[float]:
        if self._rate or not self._setup.asks_first:
            yield from self._small("reconcile")

    def _send_alerts(self) -> Iterator[float]:
        if not self._setup.asks_first or self.meter.is_running(WAREHOUSE):
            yield from self._small("alerts")

    def _small(self, task: str) -> Iterator[float]:
        return self._statements(task, *[STATEMENT_SECONDS] * STATEMENTS[task])

    # --- results -----------------------------------------------------------------------------------------------------

    def billed_seconds(self, warehouse: str = WAREHOUSE) -> float:
        self._now = float(self._seconds)
        return sum(used.seconds for (_, name), used in self.meter.warehouse_hours().items() if name == warehouse)

    def billed_by_task(self) -> dict[str, float]:
        billed: dict[str, float] = defaultdict(float)
        for each in self.meter.statements():
            billed[each.tag] += each.billed
        return billed

    def warehouse_credits(self) -> float:
        return self.billed_seconds() / HOUR

    def pipe_credits(self) -> float:
        return self._rate * self._seconds * LINE_BYTES / GB * PIPE_CREDITS_PER_GB


@dataclass(frozen=True)
class OpenPage:
    """What a page that was open for some time, then closed, cost the two warehouses, in seconds billed."""

    pipeline: float
    reader: float


def open_page(seconds: int) -> OpenPage:
    """A page of the dashboard on an idle pipeline, which asks as often as its answers become old.

    Its reader has a warehouse of its own (sql/ddl/090_roles.sql), which suspends when the browser is gone.
    """
    simulation = Simulation(MINUTE, 0, seconds + HOUR)
    simulation.meter.define(READER_WAREHOUSE, {"AUTO_SUSPEND": READER_AUTO_SUSPEND})
    for lifetime in PAGE_LIFETIMES:
        simulation.visit(lifetime, until=seconds)
    simulation.run()
    return OpenPage(simulation.billed_seconds(), simulation.billed_seconds(READER_WAREHOUSE))


def day(setup: Setup, rate: float) -> Simulation:
    return Simulation(setup, rate, DAY).run()


def hour(setup: Setup, rate: float) -> Simulation:
    return Simulation(setup, rate, HOUR).run()


def table() -> str:
    """Credits a day by freshness and traffic, as docs/cost.md has them."""
    lines = [
        "| freshness | `CTD_MERGE_MIN_INTERVAL_SECONDS` | a loaded reading is in the history after "
        "| 0 readings/s | 10 readings/s | 1,000 readings/s |",
        "|---|---|---|---|---|---|",
    ]
    for setup in (SECONDS, MINUTE, QUARTER, BEFORE):
        average, longest = setup.freshness()
        cells = []
        for rate in (0, 10, 1_000):
            simulated = day(setup, rate)
            cells.append(f"{simulated.warehouse_credits():.2f} + {simulated.pipe_credits():.2f}")
        lines.append(
            f"| {setup.name} | {setup.merge_interval} | {average:.0f} s on average, {longest:.0f} s at most | "
            + " | ".join(cells)
            + " |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
    simulated = hour(MINUTE, 10)
    print({task: round(seconds) for task, seconds in simulated.billed_by_task().items()})
    print("hour:", simulated.billed_seconds(), "before:", hour(BEFORE, 10).billed_seconds())
