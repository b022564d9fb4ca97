"""Has Snowpipe load the files that nobody announced to it."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from airflow.sdk import BaseOperator, Context

from clicks_to_deliveries import operator_links as buttons
from clicks_to_deliveries.hooks.snowflake_access import connect
from clicks_to_deliveries.operators.killable import Killable
from include import names
from include.pipe_replacement import refresh_pipe


class RefreshPipeOperator(Killable, BaseOperator):
    """Announces the landing files of the last seven days to the pipe, which skips those that it loaded.

    A file that landed before the bucket notified the pipe was announced to nobody.  Run it once the notification is
    set, so that no file falls between the two.
    """

    operator_extra_links = (buttons.RUNBOOK, buttons.PIPE)

    def __init__(self, *, snowflake_conn_id: str = names.DEPLOYER_SNOWFLAKE_CONNECTION, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.snowflake_conn_id = snowflake_conn_id

    def execute(self, context: Context) -> int:
        """Return how many files Snowpipe is going to load."""
        with closing(connect(self.snowflake_conn_id)) as connection:
            files = refresh_pipe(connection)
        self.log.info("Snowpipe is going to load %d files that it has not seen yet", files)
        return files
