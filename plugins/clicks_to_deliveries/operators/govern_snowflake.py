"""Sets up what a Snowflake shop expects around the pipeline's objects, as far as their owner may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from airflow.sdk import BaseOperator, Context

from clicks_to_deliveries.hooks.snowflake_access import connect
from clicks_to_deliveries.operators.killable import Killable
from include import names, sql


class GovernSnowflakeOperator(Killable, BaseOperator):
    """Runs the scripts of ``include.snowflake_governance``; safe to run again.

    :param scripts: files below ``sql/``, in order.
    :param parameters: the ``params`` of their templates.
    """

    def __init__(
        self,
        *,
        scripts: Sequence[str],
        parameters: Mapping[str, str],
        snowflake_conn_id: str = names.DEPLOYER_SNOWFLAKE_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.scripts = list(scripts)
        self.parameters = dict(parameters)
        self.snowflake_conn_id = snowflake_conn_id

    def execute(self, context: Context) -> None:
        with closing(connect(self.snowflake_conn_id)) as connection:
            for script in self.scripts:
                connection.execute_string(sql.render(script, **self.parameters), remove_comments=True)
                self.log.info("Ran %s", script)
