"""Runs SQL in the demo's Snowflake as its administrator, as a worksheet in Snowsight would.

    . .local/demo/shell.sh
    python -m include.local.demo.sql "use role TRUCK_TELEMETRY_TRANSFORMER; select count(*) from TRUCK_TELEMETRY_RAW"

Without an argument it reads the statements from standard input.  A worksheet begins in the pipeline's schema and
warehouse.  It prints each result as lines with tabs in between.
"""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import closing

import snowflake.connector

from include import names
from include.local.demo.snowflake_administrator import PASSWORD, USER


def main() -> int:
    """Run the statements; return 0, or 1 after the error of the first that failed."""
    parser = argparse.ArgumentParser(prog="python -m include.local.demo.sql", description="Run SQL in the demo.")
    parser.add_argument("statements", nargs="?", help="default: standard input")
    statements = parser.parse_args().statements or sys.stdin.read()
    connection = snowflake.connector.connect(
        account="local",
        user=USER,
        password=PASSWORD,
        host="localhost",
        port=int(os.environ["DEMO_SNOWFLAKE_PORT"]),
        database=names.DATABASE,
        schema=names.SCHEMA,
        warehouse=names.WAREHOUSE,
        login_timeout=20,
        network_timeout=120,
    )
    with closing(connection):
        try:
            for cursor in connection.execute_string(statements, remove_comments=True):
                print("\t".join(column.name for column in cursor.description))
                for row in cursor:
                    print("\t".join(str(value) for value in row))
        except snowflake.connector.errors.Error as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
