"""Runs that go on: one run an hour works round after round, instead of a run for each (docs/adr/0068).

Each run adds rows to Airflow's database and a line to its pages, for ever.  A round adds lines to the run's log.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowSkipException
from airflow.triggers.base import BaseTrigger

from clicks_to_deliveries.notifiers.run_outbox import Variables, is_in_outage
from clicks_to_deliveries.operators.asset_events import describe_outlets
from clicks_to_deliveries.operators.killable import Killable

# How much longer than its own time limit a wait may take, until Airflow fails the task: the triggerer does not work.
TRIGGERER_PATIENCE = timedelta(minutes=3)
# The shortest wait.  On a busy machine, Airflow's scheduler hears seconds later that a task's process ended to wait.
# If the task is at work again by then, the scheduler takes it for dead, and starts another try.
LEAST_PAUSE = timedelta(seconds=30)


class Round(msgspec.Struct, frozen=True):
    """What one round did.

    ``counts`` are added up over the run; None: there was nothing to do.  ``is_last``: the run ends with this round.
    """

    counts: dict[str, int] | None
    is_last: bool = False


class InRounds(Killable, BaseOperator):
    """An operator whose run goes on with another round while ``run_for`` has not passed since the run began.

    Between rounds it waits in the triggerer, and holds nothing: no worker, no slot of its pool, no lease, no session.
    So whatever else needs them has its turn, and a kill has nothing to stop.

    Each round counts as a run to those who are on call.  A round that fails ends the run, red, and the next run begins
    as its schedule says.  After a failure, the first success ends the run too, as that is news to people; so does a
    round that stores alerts, which are sent when their run ends, and every round of a retry.

    The asset events of the run's end have the sums of all rounds.

    :param run_for: how long a run goes on; by default, each run is one round.
    """

    def __init__(self, *, run_for: timedelta = timedelta(0), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.run_for = run_for

    def work(self, context: Context, rounds: int) -> Round:
        """Do one round, after ``rounds`` that did something; raises whatever fails or skips the run."""
        raise NotImplementedError

    def wait(self) -> tuple[BaseTrigger, timedelta]:
        """Return what begins the next round, LEAST_PAUSE from now or later, and how long that takes at most."""
        raise NotImplementedError

    def is_over(self, event: dict[str, Any]) -> bool:
        """Whether the run ends instead of beginning another round."""
        return False

    def execute(self, context: Context) -> dict[str, int]:
        return self._go_on(context, self.work(context, 0), {})

    def next_round(self, context: Context, event: dict[str, Any], total: dict[str, int]) -> dict[str, int]:
        """Go on, once the triggerer says so."""
        if self.is_over(event):
            return self._end(context, total)
        return self._go_on(context, self.work(context, total.get("rounds", 0)), total)

    def _go_on(self, context: Context, done: Round, total: dict[str, int]) -> dict[str, int]:
        if done.counts is not None:
            counts = {"rounds": 1, **done.counts}
            total = {name: total.get(name, 0) + counts.get(name, 0) for name in {**total, **counts}}
        if not done.is_last and self._may_go_on(context):
            trigger, longest = self.wait()
            timeout = longest + TRIGGERER_PATIENCE
            self.defer(trigger=trigger, method_name="next_round", kwargs={"total": total}, timeout=timeout)
        return self._end(context, total)

    def _may_go_on(self, context: Context) -> bool:
        began = context["dag_run"].start_date if self.run_for else None
        return began is not None and datetime.now(UTC) < began + self.run_for and not self.is_news(context)

    def is_news(self, context: Context) -> bool:
        """Whether somebody waits for the end of this run: it is a retry, or the first success after a failure."""
        return context["ti"].try_number > 1 or is_in_outage(Variables(), context["ti"].dag_id)

    def _end(self, context: Context, total: dict[str, int]) -> dict[str, int]:
        if not total:
            raise AirflowSkipException("There was nothing to do")
        self.log.info("In all: %s", ", ".join(f"{name} {count:,}" for name, count in total.items()))
        describe_outlets(self, context, **total)
        return total
