"""What the stores hold right now, counted cheaply enough to be shown every few seconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boto3
from snowflake.connector import SnowflakeConnection

from include import names
from include.contracts.quarantine import records_in
from include.local.demo.connections import AWS_CONFIG, select

RAW_AND_HISTORY = f"""
    SELECT
        (SELECT COUNT(*) FROM {names.RAW_TABLE}),
        (SELECT COUNT(*) FROM {names.HISTORY_TABLE}),
        (SELECT COUNT(*) FROM {names.HISTORY_TABLE} WHERE IS_CURRENT)
"""


def line(manifest: Path, bucket: str, connection: SnowflakeConnection) -> str:
    """Describe the stores in one line: records sent, clicks, landing files, RAW, versions, current, quarantined."""
    # MiniStack counts a table's items on request; DynamoDB counts them every six hours.
    clicks = boto3.client("dynamodb", config=AWS_CONFIG).describe_table(TableName=names.CLICK_TABLE)
    landed = objects(bucket, names.LANDING_PREFIX)
    quarantined = sum(records_in(key) for key in keys(bucket, names.QUARANTINE_PREFIX))
    raw, versions, current = select(connection, RAW_AND_HISTORY)[0]
    counts = {
        "clicks": clicks["Table"]["ItemCount"],
        "landing files": landed,
        "RAW": raw,
        "versions": versions,
        "current": current,
        "quarantined": quarantined,
    }
    if manifest.exists():
        counts = {"sent": _lines(manifest), **counts}
    return "   ".join(f"{name} {count:,}" for name, count in counts.items())


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
