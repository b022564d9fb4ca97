"""Turns the notices of abandoned batches, which QuarantineIntake left in the bucket, into one alert."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import msgspec
from airflow.sdk import Context

from clicks_to_deliveries.notifiers.run_outbox import RunOutbox
from include import names
from include.alerts import Alert, Links, compose
from include.contracts.abandoned import AbandonedBatch
from include.s3_objects import list_objects

RUNBOOK = "docs/runbooks/abandoned_batches.md"
# How many notices an alert quotes.
QUOTED = 10
# DeleteObjects takes no more keys in a call.
AT_ONCE = 1_000


def take_up_notices(s3: Any, bucket: str, outbox: RunOutbox, context: Context, links: Links) -> int:
    """Store one alert about all notices, then delete them; return how many there were.

    A crash in between leaves the notices, and the same notices give the same alert.

    Raises:
        RuntimeError: S3 did not delete them all; an alert about those that are left follows.
    """
    found = list(list_objects(s3, bucket, names.ABANDONED_PREFIX))
    if not found:
        return 0
    keys = [each["Key"] for each in found]
    quoted = [
        msgspec.json.decode(s3.get_object(Bucket=bucket, Key=key)["Body"].read(), type=AbandonedBatch)
        for key in keys[:QUOTED]
    ]
    since = min(each["LastModified"] for each in found)
    outbox.add(_alert(keys, quoted, since, context["dag"].dag_id, context["run_id"], links))
    for start in range(0, len(keys), AT_ONCE):
        some = [{"Key": key} for key in keys[start : start + AT_ONCE]]
        errors = s3.delete_objects(Bucket=bucket, Delete={"Objects": some, "Quiet": True}).get("Errors")
        if errors:
            first = errors[0]
            raise RuntimeError(f"{len(errors)} notices were not deleted, such as {first['Key']}: {first['Code']}")
    return len(keys)


def _alert(
    keys: list[str], quoted: list[AbandonedBatch], since: datetime, dag_id: str, run_id: str, links: Links
) -> Alert:
    batches = "1 batch was given up" if len(keys) == 1 else f"{len(keys):,} batches were given up"
    lines = [f"{each.stream}: {each.records:,} records of {each.function}, {each.rule}" for each in quoted]
    more = [f"and {len(keys) - len(quoted):,} batches more"] if len(keys) > len(quoted) else []
    digest = sha256("\n".join(keys).encode()).hexdigest()[:16]
    return compose(
        alert_id=f"abandoned-batches/{digest}",
        state="failed",
        severity="error",
        dag_id=dag_id,
        concerned=[batches],
        details="\n".join([f"{batches}; their records are in quarantine, reason not_processed:", *lines, *more]),
        impact="clicks or readings are missing from every page until they are replayed",
        since=since,
        run_id=run_id,
        links=links,
        stored_at=datetime.now(UTC),
        runbook=RUNBOOK,
        incident=f"abandoned-batches/{digest}",
    )
