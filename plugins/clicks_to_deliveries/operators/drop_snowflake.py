"""Drops what sql/ddl created in Snowflake."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from airflow.providers.common.compat.sdk import AirflowSkipException
from airflow.sdk import BaseOperator, Context

from clicks_to_deliveries.hooks.snowflake_access import connect
from clicks_to_deliveries.operators.killable import Killable
from include import names, sql

SCRIPT = "ops/drop_everything.sql"


class DropSnowflakeOperator(Killable, BaseOperator):
    """Drops the Snowflake objects, including the history; safe to run again.

    :param parameters: the ``params`` of the script's template.
    :param drop: (templated) "True" drops; any other text skips the task.
    """

    template_fields = ("drop",)

    def __init__(
        self,
        *,
        drop: bool | str,
        parameters: Mapping[str, str] | None = None,
        snowflake_conn_id: str = names.DEPLOYER_SNOWFLAKE_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.drop = drop
        self.parameters = dict(parameters or {})
        self.snowflake_conn_id = snowflake_conn_id

    def execute(self, context: Context) -> None:
        if str(self.drop) != "True":
            raise AirflowSkipException("drop_snowflake is not set")
        with closing(connect(self.snowflake_conn_id)) as connection:
            statements = list(connection.execute_string(sql.render(SCRIPT, **self.parameters), remove_comments=True))
        self.log.info("Ran the %d statements of %s", len(statements), SCRIPT)
