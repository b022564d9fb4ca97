"""What all operators have in common: what they do when Airflow kills their task, and the button to the runbook."""

from __future__ import annotations

import sys
from collections.abc import Collection

from airflow.providers.common.compat.sdk import AirflowTaskTimeout
from airflow.sdk import BaseOperatorLink

from clicks_to_deliveries import operator_links as buttons
from clicks_to_deliveries.hooks.snowflake_access import cancel_statements


class TaskKilled(BaseException):
    """Airflow kills the task: raised in the midst of its work, so that nothing is started any more.

    Not an Exception, as libraries take those for a failed request, and try again.
    """


class Killable:
    """Mixin for operators: a kill cancels the task's statements in Snowflake, and ends the task.

    Airflow calls ``on_kill`` from its handler of SIGTERM, in the midst of ``execute``, and then goes on with
    ``execute``: without an exception the task would work on until SIGKILL, 5 s later.  After an ``execution_timeout``,
    an exception has left ``execute`` already.
    """

    operator_extra_links: Collection[BaseOperatorLink] = (buttons.RUNBOOK,)

    def on_kill(self) -> None:
        cancel_statements()
        if not isinstance(sys.exception(), AirflowTaskTimeout):
            raise TaskKilled("the task is being killed")
