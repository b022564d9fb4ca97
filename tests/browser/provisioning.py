"""One dashboard's stores in the servers that all tests share: an account in MiniStack, a database in Snowflake."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3

from include import names, sql
from tests.browser.stores import Stores
from tests.fixtures.ministack import MiniStack
from tests.fixtures.snowflake import LocalSnowflake
from tests.fixtures.tables import tables


@dataclass(frozen=True)
class Place:
    """Where a dashboard's stores are."""

    ministack: MiniStack
    snowflake: LocalSnowflake
    account: str
    database: str

    @property
    def bucket(self) -> str:
        return f"telemetry-{self.account}"

    @property
    def aws(self) -> dict[str, str]:
        """The environment of AWS's clients."""
        # MiniStack takes an access key of twelve digits for the number of an account.
        return self.ministack.environment | {"AWS_ACCESS_KEY_ID": self.account}

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the dashboard: the addresses of its stores and the settings, nothing else."""
        return {
            **self.aws,
            **self.snowflake.environment,
            "SNOWFLAKE_DATABASE": self.database,
            "CTD_DEPLOYMENT_BUCKET": "deployment",
            "CTD_TELEMETRY_BUCKET": self.bucket,
            # A store that is down refuses connections, so nothing is gained by trying for longer.
            "CTD_DASHBOARD_TIMEOUT_SECONDS": "2",
        }

    def client(self, service: str) -> Any:
        """A boto3 client in the account."""
        return boto3.client(
            service,
            endpoint_url=self.aws["AWS_ENDPOINT_URL"],
            region_name=self.aws["AWS_DEFAULT_REGION"],
            aws_access_key_id=self.aws["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.aws["AWS_SECRET_ACCESS_KEY"],
        )


@contextmanager
def provisioned(place: Place) -> Iterator[Stores]:
    """The stores of a deployed pipeline, empty: tables of DynamoDB and Snowflake, and the bucket."""
    place.client("s3").create_bucket(Bucket=place.bucket)
    place.snowflake.create_identities()
    with (
        tables(place.client("dynamodb")),
        place.snowflake.connect_as("deployer", database=place.database) as connection,
    ):
        parameters = {
            "storage_role_arn": f"arn:aws:iam::{place.account}:role/snowflake",
            "telemetry_bucket": place.bucket,
        }
        for file in sorted((sql.SQL_DIRECTORY / "ddl").glob("*.sql")):
            text = sql.render(f"ddl/{file.name}", **parameters).replace(names.DATABASE, place.database)
            # Both places are in one account of Snowflake, which has one integration of a name.
            connection.execute_string(text.replace(names.STORAGE_INTEGRATION, f"{place.database}_INTEGRATION"))
        with connection.cursor() as cursor:
            cursor.execute(f"use schema {place.database}.{names.SCHEMA}")
        try:
            yield Stores(place.client, connection, place.bucket)
        finally:
            # The next file of tests finds an empty pipeline, as with DynamoDB's tables, in whatever order files run.
            connection.execute_string(f"drop database {place.database}")
