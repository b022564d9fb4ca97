"""Connections to Snowflake for operators.  Importing this module is cheap; the connector comes with a connection.

The connector and what it needs (pandas among it) take most of a second and 100 MB, which no DAG file may cost.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

HOOK = "clicks_to_deliveries.hooks.snowflake_hook"


def connect(snowflake_conn_id: str, tag: Mapping[str, str] | None = None, **limits: int) -> SnowflakeConnection:
    """Open a connection of the pipeline's hook, with its timeouts or those of ``limits``.

    Args:
        tag: what sends the statements, where that is no task: it becomes their QUERY_TAG.
    """
    from clicks_to_deliveries.hooks.snowflake_hook import PipelineSnowflakeHook

    connection: SnowflakeConnection = PipelineSnowflakeHook(snowflake_conn_id, tag=tag, **limits).get_conn()
    return connection


def cancel_statements() -> None:
    """Cancel what this process has sent to Snowflake; without the hook it has sent nothing."""
    if HOOK in sys.modules:
        from clicks_to_deliveries.hooks import snowflake_hook

        snowflake_hook.cancel_statements()
