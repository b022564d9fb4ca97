"""Notifies the people on call, through the stack's SNS topic, that a task failed or a run took too long."""

from __future__ import annotations

import copy

from airflow.providers.amazon.aws.notifications.sns import SnsNotifier
from airflow.sdk import Context

from clicks_to_deliveries.notifiers.alert_topic import LONGEST_SUBJECT, TOPIC
from include import names

MESSAGE = """\
{{ dag.dag_id }}.{{ ti.task_id if ti else '(no task)' }} failed
run      {{ run_id }}
error    {{ exception or reason or 'see the log' }}
log      {{ ti.log_url if ti else 'see the run in the Airflow UI' }}
runbook  %(runbook)s
"""

SUBJECT = f"{{{{ ('[failed] ' ~ dag.dag_id ~ '.' ~ (ti.task_id if ti else 'run'))[:{LONGEST_SUBJECT}] }}}}"


class FailureAlert(SnsNotifier):
    """``on_failure_callback`` of every task: sends one message when the last try of a task failed.

    :param runbook: path in the repository of the page that says what to do.
    :param already_notified: failures that the task itself sends a notification about; no second message for these.
    """

    def __init__(self, runbook: str, already_notified: tuple[type[Exception], ...] = ()) -> None:
        super().__init__(
            aws_conn_id=names.AWS_CONNECTION,
            target_arn=TOPIC,
            subject=SUBJECT,
            message=MESSAGE % {"runbook": runbook},
        )
        self.already_notified = already_notified

    def __call__(self, *args: Context) -> None:
        (context,) = args
        if isinstance(context.get("exception"), self.already_notified):
            return
        # Rendering replaces the templates for good, and a process may have more than one failure to report.
        SnsNotifier.__call__(copy.copy(self), {"exception": None, "reason": None, "ti": None, **context})

    def notify(self, context: Context) -> None:
        if not self.target_arn:
            self.log.warning("No alert sent: there is no alert topic until provision_resources has run")
            return
        super().notify(context)  # type: ignore[no-untyped-call] # Airflow's class has no types here.


class RunTimeoutAlert(FailureAlert):
    """``on_failure_callback`` of every DAG: alerts when a run exceeds its ``dagrun_timeout``.

    A run that failed for another reason needs no alert: its failed task sent one.
    """

    def __call__(self, *args: Context) -> None:
        (context,) = args
        if context.get("reason") == "timed_out":
            super().__call__(context)
