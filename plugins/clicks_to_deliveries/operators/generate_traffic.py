"""Sends synthetic clicks and telemetry to Kinesis, in real time."""

from __future__ import annotations

import base64
import tempfile
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


class GenerateTrafficOperator(WithLineage, Killable, BaseOperator):
    """Sends the traffic of one plan.

    An Airflow Variable keeps the positions of the trucks, so that they drive on in the next run, on whatever worker.

    :param plan: (templated) fields of ``TrafficPlan`` except ``state``; a field that is None or "" takes its default.
    :param state_variable: the Variable that keeps the simulation's state.

    Returns the summary of what was sent.
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
            plan = msgspec.convert({**given, "state": state}, TrafficPlan, strict=False, dec_hook=_path)
            try:
                summary = generate(plan, client, self._log_progress)
            finally:
                # Also if Kinesis refused some records: the trucks are where the records that it accepted say.
                if state.exists():
                    Variable.set(self.state_variable, base64.b64encode(state.read_bytes()).decode())
        self._log_progress(summary)
        describe_outlets(self, context, sent=summary.sent)
        summary_fields: dict[str, Any] = msgspec.to_builtins(summary)
        return summary_fields

    def _log_progress(self, summary: TrafficSummary) -> None:
        self.log.info(
            "%d of %d records sent, %.0f per second, %d sent again",
            summary.sent,
            summary.planned,
            summary.per_second,
            summary.resent,
        )


def _path(expected: type, value: Any) -> Any:
    if expected is Path:
        return Path(value)
    raise NotImplementedError(f"{expected} from {value!r}")
