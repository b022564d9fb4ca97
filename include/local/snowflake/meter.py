"""The meter: which statements Snowflake would have needed a warehouse for, and what each would have cost.

Snowflake bills a warehouse from when a statement resumes it until it suspends, 60 seconds at least.  The meter keeps
the same book.  A statement is charged with the seconds that it adds to the bill: the one that resumes a warehouse with
the first 60, a later one with the time by which it puts off the suspension.  So the charges add up to the bill.

Everything is in memory: a restart forgets it, and no statement waits for a disk.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

# The least that a resume is billed.
LEAST_SECONDS = 60.0
DEFAULT_AUTO_SUSPEND = 600
# Credits of Snowpipe per GB, of text at its unpacked size; and per hour of cloud services.
PIPE_CREDITS_PER_GB = 0.0037
GB = 1024**3
CLOUD_SERVICES_CREDITS_PER_HOUR = 4.4
# The account's statements that used no warehouse, as WAREHOUSE_METERING_HISTORY calls them.
CLOUD_SERVICES_ONLY = "CLOUD_SERVICES_ONLY"
# What is kept: the last statements, and the resumes and loads of the last days.
KEPT_STATEMENTS = 100_000
KEPT = timedelta(days=15)
HOUR = timedelta(hours=1)
_NEVER = datetime.max.replace(tzinfo=UTC)

SIZES = ("XSMALL", "SMALL", "MEDIUM", "LARGE", "XLARGE", "XXLARGE", "XXXLARGE", "X4LARGE", "X5LARGE", "X6LARGE")
_SIZE_WORDS = {"2XLARGE": "XXLARGE", "X2LARGE": "XXLARGE", "3XLARGE": "XXXLARGE", "X3LARGE": "XXXLARGE",
               "4XLARGE": "X4LARGE", "5XLARGE": "X5LARGE", "6XLARGE": "X6LARGE"}  # fmt: skip

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Assumptions:
    """What a laptop can't know of an account."""

    # A statement takes as long as here, and no less than this: Snowflake compiles even the smallest.
    shortest_seconds: float = 0.5
    # A statement takes this many times as long as here.
    slowness: float = 1.0
    # Snowflake checks for idle warehouses about every 30 seconds, so one suspends later than AUTO_SUSPEND says.
    check_seconds: float = 30.0
    # Cloud services of one statement.
    cloud_services_seconds: float = 0.02


@dataclass
class Charge:
    """What one statement costs: times in seconds."""

    query_id: str
    role: str | None
    tag: str
    started_at: datetime
    warehouse: str | None = None  # None: Snowflake needs none for it
    size: str | None = None
    resumed: bool = False
    seconds: float = 0.0  # it ran on the warehouse
    billed: float = 0.0  # it added to the warehouse's bill


@dataclass
class Usage:
    """What a warehouse or a pipe used in an hour."""

    seconds: float = 0.0
    credits: float = 0.0
    cloud_services: float = 0.0
    size_bytes: int = 0
    files: int = 0


@dataclass
class _Run:
    """A warehouse from a resume to its suspension."""

    resumed_at: datetime
    suspends_at: datetime
    size: str
    last: Charge
    billed: float = 0.0


@dataclass
class _Warehouse:
    size: str = "XSMALL"
    auto_suspend: float | None = float(DEFAULT_AUTO_SUSPEND)  # None: it never suspends by itself
    statements: int = 0  # that run now
    runs: deque[_Run] = field(default_factory=deque)


class Meter:
    """The account's meter.  Any thread may use it.

    :param clock: returns the time, aware; a test that simulates an hour has its own.
    """

    def __init__(self, clock: Clock = utc_now, assumptions: Assumptions | None = None) -> None:
        self._clock, self.assumptions = clock, assumptions or Assumptions()
        self._lock = threading.Lock()
        self._warehouses: dict[str, _Warehouse] = {}
        self._statements: deque[Charge] = deque(maxlen=KEPT_STATEMENTS)
        self._cloud_services: dict[tuple[datetime, str], int] = {}
        self._loads: deque[tuple[datetime, str, int, int]] = deque()

    # --- warehouses --------------------------------------------------------------------------------------------------

    def define(self, name: str, definition: Mapping[str, Any]) -> None:
        """A warehouse was created or changed; what its definition lacks has Snowflake's default."""
        with self._lock:
            warehouse = self._warehouses.setdefault(name, _Warehouse())
            warehouse.size = size_of(definition)
            seconds = definition.get("AUTO_SUSPEND", DEFAULT_AUTO_SUSPEND)
            warehouse.auto_suspend = float(seconds) if seconds and str(seconds).isdigit() else None

    def forget(self, name: str) -> None:
        """A warehouse was dropped: it suspends now, and its bill stays."""
        self.suspend(name)

    def resume(self, name: str, charge: Charge) -> None:
        """Start a warehouse that is suspended, for ``charge``'s statement."""
        with self._lock:
            self._run_of(name, charge, self._clock())

    def suspend(self, name: str) -> None:
        """Suspend a warehouse now: whoever kept it running last is charged for less."""
        with self._lock:
            warehouse, now = self._warehouses.get(name), self._clock()
            if warehouse and warehouse.runs and now < warehouse.runs[-1].suspends_at:
                self._suspends(warehouse.runs[-1], now, warehouse.runs[-1].last)

    def is_running(self, name: str) -> bool:
        """Whether a warehouse runs now, with or without a statement."""
        with self._lock:
            warehouse = self._warehouses.get(name)
            return bool(warehouse and self._runs(warehouse, self._clock()))

    def resumed_at(self, name: str) -> datetime | None:
        """When a warehouse was last resumed; None where it was not since the start."""
        with self._lock:
            warehouse = self._warehouses.get(name)
            return warehouse.runs[-1].resumed_at if warehouse and warehouse.runs else None

    # --- statements --------------------------------------------------------------------------------------------------

    def begin(self, query_id: str, role: str | None, tag: str) -> Charge:
        """A statement arrived; so far it needs no warehouse."""
        return Charge(query_id, role, tag, self._clock())

    def use(self, charge: Charge, name: str) -> None:
        """A statement begins to run on a warehouse, and resumes it if it is suspended."""
        with self._lock:
            charge.started_at = self._clock()
            run = self._run_of(name, charge, charge.started_at)
            charge.warehouse, charge.size = name, run.size
            self._warehouses[name].statements += 1

    def end(self, charge: Charge) -> None:
        """A statement ended: charge it with what it adds to the bill of its warehouse."""
        with self._lock:
            self._statements.append(charge)
            hour = (_hour(charge.started_at), charge.warehouse or CLOUD_SERVICES_ONLY)
            if hour not in self._cloud_services:
                self._forget_old_hours()
            self._cloud_services[hour] = self._cloud_services.get(hour, 0) + 1
            if charge.warehouse is None:
                return
            warehouse = self._warehouses[charge.warehouse]
            warehouse.statements -= 1
            elapsed = (self._clock() - charge.started_at).total_seconds() * self.assumptions.slowness
            charge.seconds = max(self.assumptions.shortest_seconds, elapsed)
            run, ended_at = warehouse.runs[-1], charge.started_at + timedelta(seconds=charge.seconds)
            self._suspends(run, max(run.suspends_at, self._idle_until(warehouse, ended_at)), charge)

    def loaded(self, pipe: str, size_bytes: int, files: int) -> None:
        """Snowpipe loaded files of this size, unpacked."""
        with self._lock:
            self._loads.append((self._clock(), pipe, size_bytes, files))
            while self._loads[0][0] < self._clock() - KEPT:
                self._loads.popleft()

    # --- reports -----------------------------------------------------------------------------------------------------

    def statements(self) -> list[Charge]:
        """The last statements that ended, in this order."""
        with self._lock:
            return list(self._statements)

    def warehouse_hours(self) -> dict[tuple[datetime, str], Usage]:
        """What each warehouse used up to now, by hour and name, with CLOUD_SERVICES_ONLY for what used none."""
        with self._lock:
            now, hours = self._clock(), dict[tuple[datetime, str], Usage]()
            for (hour, name), count in self._cloud_services.items():
                seconds = count * self.assumptions.cloud_services_seconds
                usage = hours.setdefault((hour, name), Usage())
                usage.cloud_services = seconds / 3600 * CLOUD_SERVICES_CREDITS_PER_HOUR
            for name, warehouse in self._warehouses.items():
                for run in warehouse.runs:
                    ends = now if warehouse.statements and run is warehouse.runs[-1] else min(now, run.suspends_at)
                    ends = max(ends, run.resumed_at + timedelta(seconds=LEAST_SECONDS))
                    for hour, seconds in _by_hour(run.resumed_at, ends):
                        usage = hours.setdefault((hour, name), Usage())
                        usage.seconds += seconds
                        usage.credits += seconds / 3600 * credits_per_hour(run.size)
            return hours

    def pipe_hours(self) -> dict[tuple[datetime, str], Usage]:
        """What Snowpipe loaded, by hour and pipe."""
        with self._lock:
            hours: dict[tuple[datetime, str], Usage] = {}
            for at, pipe, size_bytes, files in self._loads:
                usage = hours.setdefault((_hour(at), pipe), Usage())
                usage.size_bytes += size_bytes
                usage.files += files
                usage.credits = usage.size_bytes / GB * PIPE_CREDITS_PER_GB
            return hours

    # --- the book; the lock is held ----------------------------------------------------------------------------------

    def _forget_old_hours(self) -> None:
        oldest = _hour(self._clock() - KEPT)
        self._cloud_services = {hour: count for hour, count in self._cloud_services.items() if hour[0] >= oldest}

    def _runs(self, warehouse: _Warehouse, now: datetime) -> bool:
        return bool(warehouse.statements) or bool(warehouse.runs and now < warehouse.runs[-1].suspends_at)

    def _run_of(self, name: str, charge: Charge, now: datetime) -> _Run:
        """The run that ``charge``'s statement joins, or begins by resuming the warehouse."""
        warehouse = self._warehouses.setdefault(name, _Warehouse())
        if not self._runs(warehouse, now):
            charge.resumed = True
            run = _Run(now, now, warehouse.size, charge)
            warehouse.runs.append(run)
            self._suspends(run, self._idle_until(warehouse, now), charge)
            while warehouse.runs[0].resumed_at < now - KEPT:
                warehouse.runs.popleft()
        return warehouse.runs[-1]

    def _idle_until(self, warehouse: _Warehouse, ended_at: datetime) -> datetime:
        """When a warehouse whose last statement ended then suspends by itself."""
        if warehouse.auto_suspend is None:
            return _NEVER
        seconds, check = ended_at.timestamp() + warehouse.auto_suspend, self.assumptions.check_seconds
        return datetime.fromtimestamp(math.ceil(seconds / check) * check if check else seconds, UTC)

    def _suspends(self, run: _Run, at: datetime, charge: Charge) -> None:
        """A run ends at another time than it would have: its last statement is charged with the difference."""
        # Without an end, what the warehouse runs for is nobody's in particular.
        billed = LEAST_SECONDS if at == _NEVER else max(LEAST_SECONDS, (at - run.resumed_at).total_seconds())
        charge.billed += billed - run.billed
        run.suspends_at, run.billed, run.last = at, billed, charge


def size_of(definition: Mapping[str, Any]) -> str:
    """The size of a warehouse, in one spelling."""
    word = str(definition.get("WAREHOUSE_SIZE", "XSMALL")).upper().replace("-", "")
    return _SIZE_WORDS.get(word, word)


def credits_per_hour(size: str) -> float:
    """1 for the smallest, and for each larger one twice as many."""
    return float(2 ** SIZES.index(size)) if size in SIZES else 1.0


def _hour(time: datetime) -> datetime:
    return time.replace(minute=0, second=0, microsecond=0)


def _by_hour(begin: datetime, end: datetime) -> list[tuple[datetime, float]]:
    """Each hour (UTC) from ``begin`` to ``end`` with its seconds."""
    parts = []
    while begin < end:
        until = min(end, _hour(begin) + HOUR)
        parts.append((_hour(begin), (until - begin).total_seconds()))
        begin = until
    return parts
