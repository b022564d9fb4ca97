"""The administrator of the local Snowflake creates the pipeline's identities, as one of a real account does once."""

from __future__ import annotations

import argparse
import os
from contextlib import closing
from pathlib import Path

import snowflake.connector

from include import snowflake_identities

# The first user of a new account of the local Snowflake.
USER, PASSWORD = "admin", "local"


def create_identities(host: str, port: int, keys: Path, password: str = PASSWORD) -> None:
    """Create the roles and users of the pipeline, or give them the keys in the directory ``keys``.

    Raises:
        snowflake.connector.errors.Error: the server refused, or can't be reached.
    """
    snowflake_identities.ensure_keys(keys)
    connection = snowflake.connector.connect(
        account="local", user=USER, password=password, host=host, port=port, login_timeout=60, network_timeout=60
    )
    with closing(connection):
        connection.execute_string(snowflake_identities.statements(keys), remove_comments=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Create the pipeline's identities on a local Snowflake.")
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--keys", type=Path, required=True, help="directory of the users' private keys")
    arguments = parser.parse_args()
    password = os.environ.get("LOCAL_SNOWFLAKE_PASSWORD", PASSWORD)
    create_identities(arguments.host, arguments.port, arguments.keys, password)


if __name__ == "__main__":
    main()
