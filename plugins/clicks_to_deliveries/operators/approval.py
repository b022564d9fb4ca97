"""Asks a person, who sees the counts of a dry run, before something is deleted that nobody can bring back."""

from __future__ import annotations

import inspect
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import AirflowSkipException
from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLOperator
from airflow.sdk import Context

from clicks_to_deliveries import operator_links as buttons
from clicks_to_deliveries.failures import FormError
from clicks_to_deliveries.operators.killable import Killable
from include.settings import Approval

# How long a person has to answer.  Then the task fails, and nothing was deleted.
PATIENCE = timedelta(hours=24)
# The provider that comes with Airflow 3.1 takes the task's own limit for it.
PATIENCE_ARGUMENT = (
    "response_timeout"
    if "response_timeout" in inspect.signature(HITLOperator.__init__).parameters
    else "execution_timeout"
)
# How long a run with a question may take, whose tasks have the rest.
LONGEST_RUN = PATIENCE + timedelta(hours=2)


class ApproveOperator(Killable, ApprovalOperator):
    """Waits in Airflow's *Required actions* until a person approves; a rejection skips what follows.

    While it waits, it holds no worker.  Whoever started the run may reject it, but not approve it, if ``approval`` is
    ``second-person``.

    :param only_count: (templated) "True": nothing is deleted, so nobody is asked, and what follows is skipped.
    :param approval: the setting CTD_APPROVAL.
    """

    template_fields = ("subject", "body", "only_count")
    operator_extra_links = (buttons.RUNBOOK,)

    def __init__(self, *, approval: Approval, only_count: str = "False", **kwargs: Any) -> None:
        # A retry would ask again, after a day.
        super().__init__(**kwargs | {PATIENCE_ARGUMENT: PATIENCE, "retries": 0})
        self.approval = approval
        self.only_count = only_count

    def execute(self, context: Context) -> Any:
        if self.only_count != "False":
            raise AirflowSkipException("This run only counts")
        if self.approval == "none":
            self.log.info("Nobody is asked, because CTD_APPROVAL is none. %s", self.body)
            return None
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Go on after the answer.

        Raises:
            FormError: the person who started the run approved it.
            airflow.providers.standard.exceptions.HITLTimeoutError: nobody answered.
        """
        if self.approval == "second-person" and event.get("chosen_options") == [self.APPROVE]:
            starter = context["dag_run"].triggering_user_name
            if starter is not None and starter in event["responded_by_user"].values():
                raise FormError(f"{starter} started this run, so a second person must approve it. Start it again")
        return super().execute_complete(context, event)
