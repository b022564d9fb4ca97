"""Creates the Snowflake objects, and reads the values of them that AWS needs."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, Context

from clicks_to_deliveries.hooks.snowflake_access import connect
from clicks_to_deliveries.operators.killable import Killable
from include import names, sql
from include.pipe_and_stream import DESCRIBE_PIPE
from include.pipe_replacement import PIPE_DDL, replace_outdated_pipe
from include.snowflake_rows import rows_by_column

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

# "Object does not exist or not authorized": the object itself, or its schema or database.
DOES_NOT_EXIST = (2003, 2043)


class ProvisionSnowflakeOperator(Killable, BaseOperator):
    """Runs DDL files in the order of their names, then returns the values that the stack needs from Snowflake.

    :param ddl: pattern of files below ``sql/``; None runs nothing and only reads.
    :param only_if_provisioned: run the files only where the pipe exists.
    :param parameters: (templated) the ``params`` of the files' templates.

    Returns the stack's parameters SnowflakeUserArn and SnowflakeExternalId (from the storage integration) and
    SnowpipeQueueArn (from the pipe), each "" while its object does not exist.
    """

    template_fields = ("parameters",)

    def __init__(
        self,
        *,
        ddl: str | None = None,
        only_if_provisioned: bool = False,
        parameters: dict[str, str] | None = None,
        snowflake_conn_id: str = names.DEPLOYER_SNOWFLAKE_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.ddl = ddl
        self.only_if_provisioned = only_if_provisioned
        self.parameters = parameters or {}
        self.snowflake_conn_id = snowflake_conn_id

    def execute(self, context: Context) -> dict[str, str]:
        with closing(connect(self.snowflake_conn_id)) as connection:
            if self.ddl and (not self.only_if_provisioned or _describe(connection, DESCRIBE_PIPE)):
                self._run_files(connection, self.ddl)
            return _handshake(connection)

    def _run_files(self, connection: SnowflakeConnection, pattern: str) -> None:
        files = sorted(sql.SQL_DIRECTORY.glob(pattern))
        if not files:
            raise FileNotFoundError(f"no file matches {pattern} in {sql.SQL_DIRECTORY}")
        for file in files:
            path = file.relative_to(sql.SQL_DIRECTORY).as_posix()
            text = sql.render(path, **self.parameters)
            connection.execute_string(text, remove_comments=True)
            self.log.info("Ran %s", file.name)
            if path == PIPE_DDL and (missing := replace_outdated_pipe(connection, text)):
                self.log.warning("Replaced pipe %s, which did not load %s", names.PIPE, ", ".join(sorted(missing)))


def _handshake(connection: SnowflakeConnection) -> dict[str, str]:
    integration = _describe(connection, f"DESC INTEGRATION {names.STORAGE_INTEGRATION}")
    properties = {row["property"]: row["property_value"] for row in integration}
    pipe = _describe(connection, DESCRIBE_PIPE)
    return {
        "SnowflakeUserArn": properties.get("STORAGE_AWS_IAM_USER_ARN", ""),
        "SnowflakeExternalId": properties.get("STORAGE_AWS_EXTERNAL_ID", ""),
        "SnowpipeQueueArn": pipe[0]["notification_channel"] if pipe else "",
    }


def _describe(connection: SnowflakeConnection, statement: str) -> list[dict[str, Any]]:
    """Return the rows of a DESC; none if the object does not exist."""
    from snowflake.connector.errors import ProgrammingError

    try:
        return rows_by_column(connection, statement)
    except ProgrammingError as error:
        if error.errno in DOES_NOT_EXIST:
            return []
        raise
