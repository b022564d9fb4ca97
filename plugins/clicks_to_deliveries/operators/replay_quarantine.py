"""Replays quarantined records through their function."""

from __future__ import annotations

from typing import Any

import msgspec
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import BaseOperator, Context

from clicks_to_deliveries import operator_links as buttons
from clicks_to_deliveries.hooks.aws_hook import clients_of
from clicks_to_deliveries.operators.killable import Killable
from include import names
from include.aws_clients import reprocessing_clients
from include.contracts.times import parse
from include.replay import ReplayPlan, replay, replay_report
from include.replay.results import REFUSED
from include.replay.selection import SelectedRecord
from include.stream_functions import FunctionError


class ReplayQuarantineOperator(Killable, BaseOperator):
    """Replays the records that ``plan`` chooses, or only counts them.

    :param bucket: (templated) the telemetry bucket.
    :param plan: fields of ``include.replay.ReplayPlan`` (templated), times as ISO 8601; None or empty means any.
    :param count_only: (templated) replay nothing.

    Returns the summary.  Fails without a retry if the function raises on a record, and with retries if a store or
    Lambda refuses one.  In both cases the record stays in quarantine.
    """

    operator_extra_links = (buttons.RUNBOOK, buttons.QUARANTINE)

    template_fields = ("bucket", "plan", "count_only")

    def __init__(
        self,
        *,
        bucket: str,
        plan: dict[str, Any],
        count_only: bool | str,
        aws_conn_id: str = names.REPLAY_AWS_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.bucket = bucket
        self.plan = plan
        self.count_only = count_only
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        if not isinstance(self.count_only, bool):
            # A text such as "False" would count as true, or another text as permission to replay.
            raise AirflowFailException(f"dry_run is {self.count_only!r}, not true or false")
        clients = reprocessing_clients(clients_of(self.aws_conn_id))
        try:
            plan = _plan(self.plan)
            by = f"replay {context['run_id']}"
            summary = replay(clients, self.bucket, plan, by=by, dry_run=self.count_only, on_selected=self._log_record)
        except (FunctionError, ValueError) as error:
            raise AirflowFailException(str(error)) from error
        text = replay_report(summary)
        self.log.info("%s", text)
        if summary.failed:
            # A store that refuses a record may accept it in a minute; anything else would end the same way.
            refused = summary.outcomes.get(REFUSED) or summary.not_taken_in
            raise RuntimeError(text) if refused else AirflowFailException(text)
        summary_fields: dict[str, Any] = msgspec.to_builtins(summary)
        return summary_fields

    def _log_record(self, record: SelectedRecord) -> None:
        self.log.debug("%s %s: %s", record.key, record.reason, record.rule)


def _plan(given: dict[str, Any]) -> ReplayPlan:
    """Raises ValueError if a field can't be used."""
    values = {name: value for name, value in given.items() if value not in (None, "", [])}
    for bound in ("since", "until"):
        if bound in values:
            values[bound] = parse(values[bound])
    try:
        return msgspec.convert(values, ReplayPlan)
    except msgspec.ValidationError as error:
        raise ValueError(f"unusable plan: {error}") from error
