"""KinesisToDynamoDBProcessor: writes batches of ClickDataStream to ClickStreamData, and invalid records to quarantine.

All or nothing: a batch is acknowledged once every record is durable in one of the two, otherwise it is delivered again.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from aws_lambda_powertools.logging import Logger

from include import names
from include.contracts import times
from include.contracts.kinesis_event import KinesisEvent
from lambdas.common import aws, batch, environment, metrics
from lambdas.common.deadline import Deadline, InvocationContext, StoreError
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
def handler(event: KinesisEvent, context: InvocationContext) -> batch.BatchAnswer:
    """Answer in the form of ReportBatchItemFailures: no record failed, or the whole batch did."""
    deadline = Deadline.of(context)
    records = batch.records(event)
    now = datetime.now(UTC)
    clicks = logic.sort_out(records, env.time_limits)
    rows = [
        logic.click_item(click, envelope, ingested_at=times.to_canonical(now), index_shards=env.click_index_shards)
        for click, envelope in clicks.accepted.values()
    ]
    counts: metrics.BatchCounts = {
        "received": len(records),
        "duplicates": clicks.duplicates,
        "quarantined": batch.by_reason(clicks.rejected),
    }
    try:
        quarantine.write(clicks.rejected, deadline)
        store.write(rows, {click.item_id: click.item_name for click, _ in clicks.accepted.values()}, deadline)
    except StoreError as error:
        lag = batch.lag_seconds(event, records)
        metrics.not_acknowledged(lag)
        outcome = {"written": 0, "oldest_lag_seconds": lag, "error": str(error)}
        logger.error("batch not acknowledged", extra={**counts, **outcome})
        return batch.nothing_done(records)
    lag = batch.lag_seconds(event, records)
    metrics.acknowledged(counts, lag)
    logger.info("batch acknowledged", extra={**counts, "written": len(rows), "oldest_lag_seconds": lag})
    return batch.all_done(event, clicks.rejected)
