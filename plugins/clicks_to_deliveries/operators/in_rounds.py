"""Runs that go on: one run an hour works round after round, instead of a run for each (docs/adr/0068).

Each run adds rows to Airflow's database and a line to its pages, for ever.  A round adds lines to the run's log.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from airflow.providers.common.compat.sdk import AirflowSkipException
from airflow.sdk import BaseOperator, Context
from airflow.triggers.base import BaseTrigger

from clicks_to_deliveries.notifiers.run_outbox import Variables, is_in_outage
from clicks_to_deliveries.operators.asset_events import describe_outlets
from clicks_to_deliveries.operators.killable import Killable
from clicks_to_deliveries.operators.lineage import WithLineage

# Airflow's type of a run that a person or a program starts.
MANUAL = "manual"
# How much longer than its own time limit a wait may take, until Airflow fails the task: the triggerer does not work.
TRIGGERER_PATIENCE = timedelta(minutes=3)
# The shortest wait.  On a busy machine, Airflow's scheduler hears seconds later that a task's process ended to wait.
# If the task is at work again by then, the scheduler takes it for dead, and starts another try.
LEAST_PAUSE = timedelta(seconds=30)
# No round begins later than this after its run began: the DAGs end a run after two hours, and the round takes time too.
LATEST_ROUND = timedelta(minutes=100)


class Round(msgspec.Struct, frozen=True):
    """What one round did.

    ``counts`` are added up over the run; None: there was nothing to do.  ``is_last``: the run ends with this round.
    """

    counts: dict[str, int] | None
    is_last: bool = False


class Progress(NamedTuple):
    """How far a run is: the sums of its rounds, and how many there were, with or without work."""

    total: dict[str, int]
    rounds: int

    def name(self, context: Context) -> str:
        """Return the next round's own id: the run's, and from the second on the round's number with it."""
        run_id: str = context["run_id"]
        return f"{run_id} #{self.rounds + 1}" if self.rounds else run_id


class InRounds(WithLineage, Killable, BaseOperator):
    """An operator whose run goes on with another round while ``run_for`` has not passed since the run began.

    Between rounds it waits in the triggerer, and holds nothing: no worker, no slot of its pool, no lease, no session.
    So whatever else needs them has its turn, and a kill has nothing to stop.

    Each round counts as a run to those who are on call.  A round that fails ends the run, red, and the next run begins
    as its schedule says.  After a failure, the first success ends the run too, as that is news to people; so does a
    round that stores alerts, which are sent when their run ends, and every round of a retry or of a run that a person
    started.

    The asset events of the run's end have the sums of all rounds.

    :param run_for: how long a run goes on; by default, each run is one round.
    """

    def __init__(self, *, run_for: timedelta = timedelta(0), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.run_for = run_for

    def work(self, context: Context, progress: Progress) -> Round:
        """Do one round; raises whatever fails the run."""
        raise NotImplementedError

    def wait(self) -> tuple[BaseTrigger, timedelta]:
        """Return what begins the next round, LEAST_PAUSE from now or later, and how long that takes at most."""
        raise NotImplementedError

    def is_over(self, event: Any) -> bool:
        """Whether the run ends instead of beginning another round."""
        return False

    def execute(self, context: Context) -> Any:
        begun = Progress({}, 0)
        return self.go_on(context, self.work(context, begun), begun)

    def next_round(self, context: Context, event: Any, total: dict[str, int], rounds: int) -> dict[str, int]:
        """Go on, once the triggerer says so."""
        if self.is_over(event):
            return self._end(context, total)
        progress = Progress(total, rounds)
        return self.go_on(context, self.work(context, progress), progress)

    def go_on(self, context: Context, done: Round, progress: Progress) -> dict[str, int]:
        """Wait for the next round, or end the run."""
        total = dict(progress.total)
        if done.counts is not None:
            for name, count in {"rounds": 1, **done.counts}.items():
                total[name] = total.get(name, 0) + count
        if not done.is_last and self._may_go_on(context):
            trigger, longest = self.wait()
            began = context["dag_run"].start_date
            if began is not None and datetime.now(UTC) + longest < began + LATEST_ROUND:
                kwargs = {"total": total, "rounds": progress.rounds + 1}
                timeout = longest + TRIGGERER_PATIENCE
                self.defer(trigger=trigger, method_name="next_round", kwargs=kwargs, timeout=timeout)
        return self._end(context, total)

    def is_news(self, context: Context) -> bool:
        """Whether somebody waits for the end of this run: who started it, or who knows of a failure."""
        return (
            context["ti"].try_number > 1
            or context["dag_run"].run_type == MANUAL
            or is_in_outage(Variables(), context["ti"].dag_id)
        )

    def _may_go_on(self, context: Context) -> bool:
        began = context["dag_run"].start_date if self.run_for else None
        return began is not None and datetime.now(UTC) < began + self.run_for and not self.is_news(context)

    def _end(self, context: Context, total: dict[str, int]) -> dict[str, int]:
        if not total:
            raise AirflowSkipException("There was nothing to do")
        self.log.info("In all: %s", ", ".join(f"{name} {count:,}" for name, count in total.items()))
        describe_outlets(self, context, **total)
        return total
