"""Sends synthetic clicks and telemetry to Kinesis, in real time."""

from __future__ import annotations

import base64
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
from airflow.sdk import BaseOperator, Context, Variable

from clicks_to_deliveries.hooks.aws_hook import aws_client
from clicks_to_deliveries.operators.asset_events import describe_outlets
from clicks_to_deliveries.operators.killable import Killable
from clicks_to_deliveries.operators.lineage import WithLineage
from include import names
from include.generator import TrafficPlan, TrafficSummary, generate
from include.generator.producer import client_config

# A retry repeats what was sent after the last note of the progress.
NOTE_EVERY_SECONDS = 5.0


class GenerateTrafficOperator(WithLineage, Killable, BaseOperator):
    """Sends the traffic of one plan.

    An Airflow Variable keeps the positions of the trucks, so that they drive on in the next run, on whatever worker.
    Another keeps how much was sent: after a try that was cut off, because its worker was lost or Kinesis was away, the
    next one sends the rest.

    :param plan: (templated) fields of ``TrafficPlan`` except ``state``; a field that is None or "" takes its default.
    :param state_variable: the Variable that keeps the simulation's state.

    Returns the summary of what this try sent.
    """

    template_fields = ("plan",)

    def __init__(
        self,
        *,
        plan: dict[str, Any],
        state_variable: str = names.TRAFFIC_STATE_VARIABLE,
        aws_conn_id: str = names.TRAFFIC_AWS_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.plan = plan
        self.state_variable = state_variable
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        given = {name: value for name, value in self.plan.items() if value not in (None, "")}
        client = aws_client(self.aws_conn_id, "kinesis", client_config())
        with tempfile.TemporaryDirectory() as directory:
            state = Path(directory) / "state"
            if kept := Variable.get(self.state_variable, default=None):
                state.write_bytes(base64.b64decode(kept))
            whole = msgspec.convert({**given, "state": state}, TrafficPlan, strict=False, dec_hook=_path)
            notes = _Notes(self, context["run_id"], whole)
            plan = notes.rest() if context["ti"].try_number > 1 else whole
            try:
                summary = generate(plan, client, notes.progress)
            finally:
                # Also if Kinesis refused some records: the trucks are where the records that it accepted say.
                notes.keep()
        notes.forget()
        self.log_progress(summary)
        describe_outlets(self, context, sent=summary.sent)
        summary_fields: dict[str, Any] = msgspec.to_builtins(summary)
        return summary_fields

    def log_progress(self, summary: TrafficSummary) -> None:
        self.log.info(
            "%d of %d records sent, %.0f per second, %d sent again",
            summary.sent,
            summary.planned,
            summary.per_second,
            summary.resent,
        )


class Sent(msgspec.Struct, frozen=True):
    """How much a run has sent, over all of its tries."""

    run_id: str
    clicks: int
    readings: int


class _Notes:
    """What is kept of a try while it sends: the state of the trucks, and how much was sent."""

    def __init__(self, operator: GenerateTrafficOperator, run_id: str, plan: TrafficPlan) -> None:
        self._operator = operator
        self._plan = plan
        self._before = Sent(run_id, 0, 0)
        self._summary: TrafficSummary | None = None
        self._noted = time.monotonic()

    def rest(self) -> TrafficPlan:
        """The plan without what earlier tries of this run have sent."""
        kept = Variable.get(names.TRAFFIC_PROGRESS_VARIABLE, default=None)
        sent = msgspec.json.decode(kept, type=Sent) if kept else None
        if sent is None or sent.run_id != self._before.run_id:
            return self._plan
        self._before, plan = sent, self._plan
        self._operator.log.warning(
            "The try before was cut off: %d of %d clicks and %d of %d readings were sent, besides those of its last "
            "%.0f s.  This one sends the rest",
            *(sent.clicks, plan.clicks, sent.readings, plan.readings, NOTE_EVERY_SECONDS),
        )
        clicks, readings = max(plan.clicks - sent.clicks, 0), max(plan.readings - sent.readings, 0)
        return msgspec.structs.replace(plan, clicks=clicks, readings=readings)

    def progress(self, summary: TrafficSummary) -> None:
        self._summary = summary
        self._operator.log_progress(summary)
        if time.monotonic() - self._noted >= NOTE_EVERY_SECONDS:
            self.keep()

    def keep(self) -> None:
        self._noted = time.monotonic()
        state = self._plan.state
        if state and state.exists():
            Variable.set(self._operator.state_variable, base64.b64encode(state.read_bytes()).decode())
        if self._summary:
            streams, before = self._summary.streams, self._before
            clicks = before.clicks + streams[self._plan.click_stream].sent
            readings = before.readings + streams[self._plan.truck_stream].sent
            sent = Sent(before.run_id, clicks, readings)
            Variable.set(names.TRAFFIC_PROGRESS_VARIABLE, msgspec.json.encode(sent).decode())

    def forget(self) -> None:
        """All is sent: whoever clears the task wants all of it again."""
        Variable.delete(names.TRAFFIC_PROGRESS_VARIABLE)


def _path(expected: type, value: Any) -> Any:
    if expected is Path:
        return Path(value)
    raise NotImplementedError(f"{expected} from {value!r}")
