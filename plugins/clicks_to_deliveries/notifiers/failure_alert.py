"""Tells the people on call, through the stack's SNS topic, that a task failed or a run took too long."""

from __future__ import annotations

import copy

from airflow.providers.amazon.aws.notifications.sns import SnsNotifier
from airflow.sdk import Context

from clicks_to_deliveries.notifiers.alert_topic import TOPIC
from include import names

MESSAGE = """\
{{ dag.dag_id }}.{{ ti.task_id if ti else '(no task)' }} failed
run      {{ run_id }}
error    {{ exception or reason or 'see the log' }}
log      {{ ti.log_url if ti else 'see the run in the Airflow UI' }}
runbook  %(runbook)s
"""

# SNS takes a subject of up to 100 characters.
SUBJECT = "{{ ('[failed] ' ~ dag.dag_id ~ '.' ~ (ti.task_id if ti else 'run'))[:100] }}"


class FailureAlert(SnsNotifier):
    """``on_failure_callback`` of every task: one message when its last try failed.

    :param runbook: path in the repository of what to do about it.
    :param told_already: failures of which the task itself has told people; no message of them.
    """

    def __init__(self, runbook: str, told_already: tuple[type[Exception], ...] = ()) -> None:
        super().__init__(
            aws_conn_id=names.AWS_CONNECTION,
            target_arn=TOPIC,
            subject=SUBJECT,
            message=MESSAGE % {"runbook": runbook},
        )
        self.told_already = told_already

    def __call__(self, *args: Context) -> None:
        (context,) = args
        if isinstance(context.get("exception"), self.told_already):
            return
        # Rendering replaces the templates for good, and a process may have more than one failure to tell.
        SnsNotifier.__call__(copy.copy(self), {"exception": None, "reason": None, "ti": None, **context})

    def notify(self, context: Context) -> None:
        if not self.target_arn:
            self.log.warning("No alert sent: there is no alert topic until provision_resources has run")
            return
        super().notify(context)


class RunTimeoutAlert(FailureAlert):
    """``on_failure_callback`` of every DAG: a run past its ``dagrun_timeout``; failed tasks have alerted already."""

    def __call__(self, *args: Context) -> None:
        (context,) = args
        if context.get("reason") == "timed_out":
            super().__call__(context)
