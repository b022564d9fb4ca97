"""KinesisToDynamoDBProcessor: writes batches of ClickDataStream to ClickStreamData, and invalid records to quarantine.

A record is acknowledged once it, and every one before it, is durable in one of the two.  The rest is delivered again.
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
from lambdas.common import aws, batch, environment, metrics, summary
from lambdas.common.deadline import Deadline, InvocationContext
from lambdas.common.object_store import Bucket
from lambdas.common.processing import process
from lambdas.common.quarantine import QuarantineWriter
from lambdas.kinesis_to_dynamodb import logic
from lambdas.kinesis_to_dynamodb.click_store import ClickStore


class ClickEnvironment(environment.ProcessorEnvironment, frozen=True, kw_only=True):
    """See lambdas.common.environment."""

    click_table: environment.NotEmpty
    click_item_table: environment.NotEmpty
    click_index_shards: Annotated[int, msgspec.Meta(ge=1)]
    click_ttl_days: Annotated[int, msgspec.Meta(ge=0)] = 0


env = environment.read(ClickEnvironment, os.environ)
logger = Logger()
store = ClickStore(aws.client("dynamodb"), env.click_table, env.click_item_table)
# Clicks go to S3 only when some of them are invalid.
s3 = aws.ClientWhenNeeded("s3")
quarantine = QuarantineWriter(Bucket(s3, env.bucket), env.quarantine_prefix, names.CLICK_FUNCTION)


@logger.inject_lambda_context
def handler(event: KinesisEvent, context: InvocationContext) -> batch.BatchAnswer:
    """Answer in the form of ReportBatchItemFailures: the first record that is not durable, if there is one."""
    records = batch.records(event)
    now = times.to_canonical(datetime.now(UTC))
    outcome = process(
        event,
        records,
        lambda part: logic.prepare(
            part,
            env.time_limits,
            ingested_at=now,
            index_shards=env.click_index_shards,
            ttl_days=env.click_ttl_days,
        ),
        lambda clicks, deadline: store.write(clicks.rows, deadline),
        quarantine,
        Deadline.of(context),
    )
    clicks = outcome.prepared
    counts: metrics.BatchCounts = {
        "received": outcome.done or len(records),
        "duplicates": clicks.duplicates,
        "quarantined": batch.by_reason(outcome.rejected),
    }
    stored = {"written": len(clicks.rows) if outcome.done else 0, "expired": clicks.expired}
    summary.report(logger, event, records, outcome, counts, stored)
    return batch.answer(event, records, outcome.done, outcome.rejected)
