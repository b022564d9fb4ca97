"""Prints the DDL of the present version, to be kept when it is released: ``python -m tests.sql.releases``."""

from __future__ import annotations

from include import sql

# As the tests have them.
PARAMETERS = {
    "storage_role_arn": "arn:aws:iam::000000000000:role/snowflake",
    "telemetry_bucket": "sql-tests-telemetry",
}


def main() -> None:
    print("-- The DDL of a released version as it was rendered and run.  Frozen: tests upgrade these objects.")
    for file in sorted((sql.SQL_DIRECTORY / "ddl").glob("*.sql")):
        print(sql.render(f"ddl/{file.name}", **PARAMETERS))


if __name__ == "__main__":
    main()
