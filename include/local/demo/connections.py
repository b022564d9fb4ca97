"""The demo's own connections to the stores, made from the environment that production code reads too."""

from __future__ import annotations

import os
from typing import Any

import snowflake.connector
from botocore.config import Config
from snowflake.connector import SnowflakeConnection

AWS_CONFIG = Config(connect_timeout=5, read_timeout=60, retries={"mode": "standard", "max_attempts": 5})

QUERY_TIMEOUT_SECONDS = 120
_CONNECTION_PARAMETERS = (
    "account", "user", "private_key_file", "host", "port", "database", "schema", "warehouse", "role",
)  # fmt: skip


def connect_to_snowflake() -> SnowflakeConnection:
    """Connect as the SNOWFLAKE_* environment says, as the dashboard does: the reader."""
    given = {name: os.environ[f"SNOWFLAKE_{name.upper()}"] for name in _CONNECTION_PARAMETERS}
    return snowflake.connector.connect(**given, login_timeout=20, network_timeout=60)


def select(connection: SnowflakeConnection, statement: str) -> list[tuple[Any, ...]]:
    """Run ``statement`` and return all its rows."""
    with connection.cursor() as cursor:
        cursor.execute(statement, timeout=QUERY_TIMEOUT_SECONDS)
        return [tuple(row) for row in cursor.fetchall()]
