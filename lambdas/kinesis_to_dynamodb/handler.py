"""KinesisToDynamoDBProcessor: batches of ClickDataStream into ClickStreamData, the invalid into quarantine.

All or nothing: the batch is acknowledged when every record is durable in one of the two, otherwise delivered again.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from aws_lambda_powertools.logging import Logger

from include import names
from include.contracts import times
from lambdas.common import aws, batch, environment, metrics
from lambdas.common.deadline import Deadline, StoreError
from lambdas.common.object_store import Bucket
from lambdas.common.quarantine import QuarantineWriter
from lambdas.kinesis_to_dynamodb import logic
from lambdas.kinesis_to_dynamodb.click_store import ClickStore


class ClickEnvironment(environment.ProcessorEnvironment, frozen=True, kw_only=True):
    """See lambdas.common.environment."""

    click_table: environment.NotEmpty
    click_item_table: environment.NotEmpty
    click_index_shards: Annotated[int, msgspec.Meta(ge=1)]


env = environment.read(ClickEnvironment, os.environ)
logger = Logger()
store = ClickStore(aws.client("dynamodb"), env.click_table, env.click_item_table)
quarantine = QuarantineWriter(Bucket(aws.client("s3"), env.bucket), env.quarantine_prefix, names.CLICK_FUNCTION)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> batch.Answer:
    """Answers ReportBatchItemFailures: nothing failed, or everything from the batch's first record on."""
    deadline = Deadline.of(context)
    records = batch.records(event)
    now = datetime.now(UTC)
    clicks = logic.sort_out(records, max_clock_skew=env.max_clock_skew, max_event_age=env.max_event_age)
    rows = [
        logic.click_item(click, envelope, ingested_at=times.to_canonical(now), index_shards=env.click_index_shards)
        for click, envelope in clicks.accepted.values()
    ]
    counts: dict[str, Any] = {
        "received": len(records),
        "duplicates": clicks.duplicates,
        "quarantined": batch.by_reason(clicks.rejected),
    }
    try:
        quarantine.write(clicks.rejected, deadline)
        store.write(rows, {click.item_id: click.item_name for click, _ in clicks.accepted.values()}, deadline)
    except StoreError as error:
        counts |= {"written": 0, "oldest_lag_seconds": batch.lag_seconds(event, records), "error": str(error)}
        metrics.not_acknowledged(counts)
        logger.error("batch not acknowledged", extra=counts)
        return batch.nothing_done(records)
    counts |= {"written": len(rows), "oldest_lag_seconds": batch.lag_seconds(event, records)}
    metrics.acknowledged(counts)
    logger.info("batch acknowledged", extra=counts)
    return batch.all_done(event, clicks.rejected)
