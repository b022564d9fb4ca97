"""The alerts about hours that do not balance, and about their balancing again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from include import names
from include.alerts import Alert, Links, compose
from include.ledger.balance import Balance
from include.ledger.due_hours import LedgerRow

DAG_ID = names.dag("reconcile")
RUNBOOK = "docs/runbooks/reconcile.md"
# How many of a run's differences an alert lists.
DIFFERENCES_SHOWN = 10


def hour_name(stream: str, hour: datetime) -> str:
    """Return the name of a stream's hour in messages."""
    return f"{stream} {hour:%Y-%m-%dT%H}"


class CountedHour(NamedTuple):
    """The balance of an hour now, and what the ledger had of it before."""

    balance: Balance
    before: LedgerRow | None

    @property
    def name(self) -> str:
        return hour_name(self.balance.stream, self.balance.hour)

    @property
    def differs(self) -> bool:
        """A difference of an open hour is none yet: records on their way look like one."""
        return not self.balance.balanced and not self.balance.is_open

    @property
    def is_known(self) -> bool:
        """Whether an alert that is stored reports all of its difference."""
        alerted = self._alerted
        return alerted is not None and not self.balance.grew_since(alerted)

    @property
    def has_recovered(self) -> bool:
        return self.balance.balanced and self._alerted is not None

    @property
    def is_to_record(self) -> bool:
        """Whether what people know about the hour changes: a new difference, a smaller one, or none any more."""
        return self.has_recovered or (self.differs and self._alerted != self.balance.counts())

    @property
    def _alerted(self) -> dict[str, int] | None:
        return self.before.alerted if self.before else None


def difference_alert(hours: Sequence[CountedHour], counted: int, run_id: str, links: Links, now: datetime) -> Alert:
    """Return the alert about ``hours`` that differ, of all ``counted`` ones."""
    return compose(
        alert_id=f"{DAG_ID}/{run_id}/{now.isoformat()}/failed",
        state="failed",
        severity="error",
        dag_id=DAG_ID,
        concerned=[hour.name for hour in hours],
        details=differences_text(hours, counted),
        impact="records are missing in a store, or nobody knows where they come from",
        run_id=run_id,
        links=links,
        stored_at=now,
        since=min(hour.balance.hour for hour in hours),
        runbook=RUNBOOK,
    )


def recovery_alert(
    hours: Sequence[CountedHour],
    run_id: str,
    links: Links,
    now: datetime,
    *,
    still_differ: Sequence[str],
    given_up: Sequence[str] = (),
) -> Alert:
    """Return the alert about ``hours`` that balance again.

    Args:
        still_differ: the hours that differ and are counted again: while there are any, the incident is not over.
        given_up: those that differ and are too old for it.  One that is lost for good would keep the incident open for
            ever, and no channel would report another in it.
    """
    others = [*_named("still different", still_differ), *_named("still different, and not counted any more", given_up)]
    return compose(
        alert_id=f"{DAG_ID}/{run_id}/{now.isoformat()}/recovered",
        state="recovered",
        severity="error",
        dag_id=DAG_ID,
        concerned=[hour.name for hour in hours],
        details="\n".join(["These hours balance again:", *(hour.name for hour in hours), *others]),
        impact="over for these hours" if still_differ else "over",
        run_id=run_id,
        links=links,
        stored_at=now,
        is_over=not still_differ,
    )


def _named(what: str, hours: Sequence[str]) -> list[str]:
    return [f"{what}: {len(hours)}, such as {', '.join(hours[:DIFFERENCES_SHOWN])}"] if hours else []


def differences_text(hours: Sequence[CountedHour], counted: int) -> str:
    """Return which hours differ, and how: the first differences, and how many are left out."""
    differences = [text for hour in hours for text in hour.balance.differences()]
    shown = "\n".join(differences[:DIFFERENCES_SHOWN])
    hidden = len(differences) - DIFFERENCES_SHOWN
    more = f"\nand {hidden} more, see {names.LEDGER_TABLE}" if hidden > 0 else ""
    return f"{len(hours)} of {counted} hours do not balance:\n{shown}{more}"
