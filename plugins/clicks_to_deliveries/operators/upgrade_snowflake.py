"""Brings the Snowflake objects of an existing deployment up to date, or refuses before anything is changed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import Context

from clicks_to_deliveries.hooks.snowflake_access import connect
from clicks_to_deliveries.operators.provision_snowflake import (
    HANDING_OVER,
    HANDSHAKE,
    ProvisionSnowflakeOperator,
    handshake,
    unseen_objects,
)
from include import names
from include.schema_changes import declared_objects, deployed_objects, impossible_changes

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection


class UpgradeSnowflakeOperator(ProvisionSnowflakeOperator):
    """Runs DDL files on a deployment that exists; a new one it leaves to ProvisionSnowflakeOperator.

    It refuses, before it changes anything:

    - changes that the files can't make (``include/schema_changes.py``);
    - a role that does not see the integration or the pipe whose values the stack has.  Snowflake says of both that they
      don't exist, and without their values the stack would lose the trust and the bucket its notification.

    :param stack_name: (templated) the stack that may have the values.
    :param recreate: (templated) "True": the integration or the pipe was dropped, and is to be created again.
    :param chosen: values that the stack has from the settings, maybe before their object exists.
    :param keep_unknown_columns: (templated) "True": columns that this version does not declare stay.

    Returns what ProvisionSnowflakeOperator returns; where Snowflake has no value yet, the stack's own.
    """

    template_fields: tuple[str, ...] = ("parameters", "stack_name", "recreate", "keep_unknown_columns")

    def __init__(
        self,
        *,
        stack_name: str,
        recreate: bool | str = False,
        chosen: Mapping[str, str] | None = None,
        keep_unknown_columns: bool | str = False,
        aws_conn_id: str = names.DEPLOYER_AWS_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.stack_name = stack_name
        self.recreate = recreate
        self.chosen = dict(chosen or {})
        self.keep_unknown_columns = keep_unknown_columns
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> dict[str, str]:
        from clicks_to_deliveries.hooks.stack import StackHook

        hook = StackHook(aws_conn_id=self.aws_conn_id)  # type: ignore[no-untyped-call] # Airflow's __init__.
        of_stack = hook.parameters(self.stack_name)
        with closing(connect(self.snowflake_conn_id)) as connection:
            found = handshake(connection)
            expected = [name for name in HANDSHAKE if of_stack.get(name, "") not in ("", self.chosen.get(name))]
            unseen = unseen_objects(found, expected)
            if unseen and str(self.recreate) != "True":
                raise AirflowFailException(
                    f"stack {self.stack_name} trusts and notifies Snowflake, but role {connection.role} does not see"
                    f" {unseen}. If it belongs to another role, hand it over ({HANDING_OVER}). If it was dropped, start"
                    " this DAG with 'recreate'"
                )
            self._refuse_impossible_changes(connection)
            if found["SnowpipeQueueArn"]:
                self.run_files(connection)
                found = handshake(connection)
        return {name: found[name] or of_stack.get(name, "") for name in HANDSHAKE}

    def _refuse_impossible_changes(self, connection: SnowflakeConnection) -> None:
        declared = declared_objects()
        deployed = deployed_objects(connection, declared)
        keep = str(self.keep_unknown_columns) == "True"
        if changes := impossible_changes(declared, deployed, keep_unknown_columns=keep):
            raise AirflowFailException(
                f"nothing was changed, because this upgrade can't be made: {'; '.join(changes)}"
                " (docs/deploy.md, 'Changes that are refused')"
            )
        self.log.info("%d tables and %d streams can be upgraded", len(deployed.tables), len(deployed.streams))
