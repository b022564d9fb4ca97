"""What all operators do when Airflow kills their task."""

from __future__ import annotations

import sys

from airflow.providers.common.compat.sdk import AirflowTaskTimeout

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

    def on_kill(self) -> None:
        cancel_statements()
        if not isinstance(sys.exception(), AirflowTaskTimeout):
            raise TaskKilled("the task is being killed")
