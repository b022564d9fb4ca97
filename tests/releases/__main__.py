"""Keeps the DDL and the resources of the present version when it is released: ``python -m tests.releases 0.3.0``."""

from __future__ import annotations

import argparse
import json

from include import sql
from include.cloudformation import TEMPLATE
from include.cloudformation.render import load
from tests.fixtures.named_template import identities_of_resources
from tests.releases import DDL, DIRECTORY, RESOURCES

# As the tests have them.
PARAMETERS = {
    "storage_role_arn": "arn:aws:iam::000000000000:role/snowflake",
    "telemetry_bucket": "sql-tests-telemetry",
}
HEADER = "-- The DDL of a released version as it was rendered and run.  Frozen: tests upgrade these objects.\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.releases", description="Keep a version for its upgrades.")
    parser.add_argument("version", help="such as 0.3.0")
    directory = DIRECTORY / parser.parse_args().version
    directory.mkdir()
    files = sorted((sql.SQL_DIRECTORY / "ddl").glob("*.sql"))
    ddl = [sql.render(f"ddl/{file.name}", **PARAMETERS) for file in files]
    (directory / DDL).write_text(HEADER + "\n".join(ddl))
    resources = json.dumps(identities_of_resources(load(TEMPLATE)), indent=1, sort_keys=True)
    (directory / RESOURCES).write_text(f"{resources}\n")


if __name__ == "__main__":
    main()
