"""Creates the Snowflake objects, and reads the values of them that AWS needs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import BaseOperator, Context

from clicks_to_deliveries import operator_links as buttons
from clicks_to_deliveries.hooks.snowflake_access import connect
from clicks_to_deliveries.operators.killable import Killable
from include import names, sql
from include.pipe_and_stream import DESCRIBE_PIPE
from include.pipe_replacement import PIPE_DDL, replace_outdated_pipe
from include.schema_changes import DOES_NOT_EXIST
from include.snowflake_rows import rows_by_column

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

# The stack's parameters with values of Snowflake's -> the object that has the value.
OF_INTEGRATION = {
    "SnowflakeUserArn": f"storage integration {names.STORAGE_INTEGRATION}",
    "SnowflakeExternalId": f"storage integration {names.STORAGE_INTEGRATION}",
}
HANDSHAKE = {**OF_INTEGRATION, "SnowpipeQueueArn": f"pipe {names.DATABASE}.{names.SCHEMA}.{names.PIPE}"}


class ProvisionSnowflakeOperator(Killable, BaseOperator):
    """Runs DDL files in the order of their names, then returns the values that the stack needs from Snowflake.

    Snowflake says of an object that a role may not see that it does not exist.  So an object that must exist after the
    files ran, and that the role can't see, is a failure: its value is never returned as "".

    :param ddl: pattern of files below ``sql/``.
    :param required: the values that must exist then.
    :param parameters: (templated) the ``params`` of the files' templates.

    Returns the stack's parameters SnowflakeUserArn and SnowflakeExternalId (from the storage integration) and
    SnowpipeQueueArn (from the pipe), each "" while its object does not exist and is not required.
    """

    operator_extra_links = (buttons.RUNBOOK, buttons.QUERIES)
    template_fields: tuple[str, ...] = ("parameters",)

    def __init__(
        self,
        *,
        ddl: str,
        required: Collection[str] = tuple(HANDSHAKE),
        parameters: dict[str, str] | None = None,
        snowflake_conn_id: str = names.DEPLOYER_SNOWFLAKE_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.ddl = ddl
        self.required = required
        self.parameters = parameters or {}
        self.snowflake_conn_id = snowflake_conn_id

    def execute(self, context: Context) -> dict[str, str]:
        with closing(connect(self.snowflake_conn_id)) as connection:
            self.run_files(connection)
            found = handshake(connection)
            if unseen := unseen_objects(found, self.required):
                raise AirflowFailException(
                    f"role {connection.role} does not see {unseen}, which the files of sql/{self.ddl} created or found:"
                    f" it belongs to another role ({HANDING_OVER})"
                )
            return found

    def run_files(self, connection: SnowflakeConnection) -> None:
        """Run the files of ``ddl``, and replace a pipe that does not load a new column."""
        files = sorted(sql.SQL_DIRECTORY.glob(self.ddl))
        if not files:
            raise FileNotFoundError(f"no file matches {self.ddl} in {sql.SQL_DIRECTORY}")
        for file in files:
            path = file.relative_to(sql.SQL_DIRECTORY).as_posix()
            text = sql.render(path, **self.parameters)
            connection.execute_string(text, remove_comments=True)
            self.log.info("Ran %s", file.name)
            if path == PIPE_DDL and (missing := replace_outdated_pipe(connection, text)):
                self.log.warning("Replaced pipe %s, which did not load %s", names.PIPE, ", ".join(sorted(missing)))


HANDING_OVER = "docs/deploy.md, 'Hand the objects over'"


def handshake(connection: SnowflakeConnection) -> dict[str, str]:
    """The values of HANDSHAKE, each "" if its object does not exist or the connection's role can't see it."""
    integration = _describe(connection, f"DESC INTEGRATION {names.STORAGE_INTEGRATION}")
    properties = {row["property"]: row["property_value"] for row in integration}
    pipe = _describe(connection, DESCRIBE_PIPE)
    return {
        "SnowflakeUserArn": properties.get("STORAGE_AWS_IAM_USER_ARN", ""),
        "SnowflakeExternalId": properties.get("STORAGE_AWS_EXTERNAL_ID", ""),
        "SnowpipeQueueArn": pipe[0]["notification_channel"] if pipe else "",
    }


def unseen_objects(found: Mapping[str, str], expected: Collection[str]) -> str:
    """The objects that have no value in ``found`` although it is expected, as text; "" if there is none."""
    return " and ".join(sorted({HANDSHAKE[name] for name in expected if not found[name]}))


def _describe(connection: SnowflakeConnection, statement: str) -> list[dict[str, Any]]:
    """Return the rows of a DESC; none if the object does not exist or is not authorized."""
    from snowflake.connector.errors import ProgrammingError

    try:
        return rows_by_column(connection, statement)
    except ProgrammingError as error:
        if error.errno in DOES_NOT_EXIST:
            return []
        raise
