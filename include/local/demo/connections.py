"""The demo's own connections to the stores, made from the environment that production code reads too."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import snowflake.connector
from botocore.config import Config
from snowflake.connector import SnowflakeConnection

from include.local.demo.environment import snowflake_login

AWS_CONFIG = Config(connect_timeout=5, read_timeout=60, retries={"mode": "standard", "max_attempts": 5})

QUERY_TIMEOUT_SECONDS = 120


def connect_to_snowflake() -> SnowflakeConnection:
    """Connect as the transformer, who may read every table and ask about the stream and the pipe."""
    port, keys = int(os.environ["DEMO_SNOWFLAKE_PORT"]), Path(os.environ["DEMO_SNOWFLAKE_KEYS"])
    login = snowflake_login(port, keys, "transformer")
    return snowflake.connector.connect(**login, login_timeout=20, network_timeout=60)


def select(connection: SnowflakeConnection, statement: str) -> list[tuple[Any, ...]]:
    """Run ``statement`` and return all its rows."""
    with connection.cursor() as cursor:
        cursor.execute(statement, timeout=QUERY_TIMEOUT_SECONDS)
        return [tuple(row) for row in cursor.fetchall()]
