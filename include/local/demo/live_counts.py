"""What the stores hold right now, counted cheaply enough to be shown every few seconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import boto3
from snowflake.connector import SnowflakeConnection

from include import names
from include.contracts.quarantine import records_in
from include.local.demo.connections import AWS_CONFIG, connect_to_snowflake, select

RAW_AND_HISTORY = f"""
    SELECT
        (SELECT COUNT(*) FROM {names.RAW_TABLE}),
        (SELECT COUNT(*) FROM {names.HISTORY_TABLE}),
        (SELECT COUNT(*) FROM {names.HISTORY_TABLE} WHERE IS_CURRENT)
"""


class LiveCounts:
    """Describes the stores in one line, with a connection of its own, opened anew after a store did not answer."""

    def __init__(self, manifest: Path, bucket: str) -> None:
        self._manifest, self._bucket = manifest, bucket
        self._connection: SnowflakeConnection | None = None

    def __enter__(self) -> LiveCounts:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._disconnect()

    def line(self) -> str:
        """Return the line: records sent, clicks, landing files, RAW, versions, current, quarantined.

        Raises:
            botocore.exceptions.BotoCoreError, ClientError: AWS does not answer, or refuses.
            snowflake.connector.errors.Error: Snowflake does not.
        """
        try:
            return "   ".join(f"{name} {count:,}" for name, count in self._counts().items())
        except BaseException:
            self._disconnect()
            raise

    def _counts(self) -> dict[str, int]:
        # MiniStack counts a table's items on request; DynamoDB counts them every six hours.
        clicks = boto3.client("dynamodb", config=AWS_CONFIG).describe_table(TableName=names.CLICK_TABLE)
        landed = objects(self._bucket, names.LANDING_PREFIX)
        quarantined = sum(records_in(key) for key in keys(self._bucket, names.QUARANTINE_PREFIX))
        self._connection = self._connection or connect_to_snowflake()
        raw, versions, current = select(self._connection, RAW_AND_HISTORY)[0]
        counts = {
            "clicks": clicks["Table"]["ItemCount"],
            "landing files": landed,
            "RAW": raw,
            "versions": versions,
            "current": current,
            "quarantined": quarantined,
        }
        return {"sent": _lines(self._manifest), **counts} if self._manifest.exists() else counts

    def _disconnect(self) -> None:
        if self._connection:
            # What does not answer is not asked to end the session.
            self._connection.close(retry=False)
            self._connection = None


def objects(bucket: str, prefix: str) -> int:
    """Count the objects of ``bucket`` under ``prefix``."""
    return sum(1 for _ in keys(bucket, prefix))


def keys(bucket: str, prefix: str) -> Iterator[str]:
    """The keys of ``bucket`` under ``prefix``."""
    s3 = boto3.client("s3", config=AWS_CONFIG)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return (entry["Key"] for page in pages for entry in page.get("Contents", []))


def _lines(path: Path) -> int:
    with path.open("rb") as lines:
        return sum(block.count(b"\n") for block in iter(lambda: lines.read(1 << 20), b""))
