"""TruckDataProcessor: writes batches of TruckTelemetry to one landing object and to the newest state of each truck.

A record is acknowledged once it, and every one before it, is durable: a reading has landed and its truck's state is up
to date, or the record is in quarantine.  The rest is delivered again.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime

from aws_lambda_powertools.logging import Logger

from include import names
from include.contracts import times
from include.contracts.kinesis_event import KinesisEvent
from lambdas.common import aws, batch, environment, metrics, summary
from lambdas.common.deadline import Deadline, InvocationContext, StoreError
from lambdas.common.object_store import Bucket
from lambdas.common.processing import Written, process
from lambdas.common.quarantine import QuarantineWriter
from lambdas.truck_data import logic
from lambdas.truck_data.landing_zone import LandingZone
from lambdas.truck_data.truck_state_store import TruckStateStore


class TruckEnvironment(environment.ProcessorEnvironment, frozen=True, kw_only=True):
    """See lambdas.common.environment."""

    landing_prefix: environment.NotEmpty
    truck_state_table: environment.NotEmpty


env = environment.read(TruckEnvironment, os.environ)
metric_policy = environment.metric_policy(os.environ)
logger = Logger()
bucket = Bucket(aws.client("s3"), env.bucket)
landing = LandingZone(bucket, env.landing_prefix)
store = TruckStateStore(aws.client("dynamodb"), env.truck_state_table)
quarantine = QuarantineWriter(bucket, env.quarantine_prefix, names.TRUCK_FUNCTION)


@logger.inject_lambda_context
def handler(event: KinesisEvent, context: InvocationContext) -> batch.BatchAnswer:
    """Answer in the form of ReportBatchItemFailures: the first record that is not durable, if there is one."""
    records = batch.records(event)
    now = times.to_canonical(datetime.now(UTC))
    outcome = process(
        event,
        records,
        lambda part: logic.prepare(part, env.time_limits, metric_policy, ingested_at=now),
        write,
        quarantine,
        Deadline.of(context),
    )
    readings, is_done = outcome.prepared, outcome.done > 0
    counts: metrics.BatchCounts = {
        "received": outcome.done or len(records),
        "duplicates": readings.duplicates,
        "quarantined": batch.by_reason(outcome.rejected),
    }
    more: dict[str, object] = {
        "correlation_id": outcome.written.landed_as,
        "trucks": len(readings.states),
        "landed": len(readings.accepted) if is_done else 0,
        "nulled": readings.nulled,
        "states_older": outcome.written.older,
    }
    summary.report(logger, event, records, outcome, counts, more, readings.nulled)
    return batch.answer(event, records, outcome.done, outcome.rejected)


def write(readings: logic.ReadingBatch, deadline: Deadline) -> Written:
    """Land the readings, and store the newest of each truck."""
    try:
        landed_as = landing.land(readings.accepted, readings.landing)
    except StoreError as error:
        return Written([each.envelope for each in readings.accepted], error=str(error))
    # After landing: a state that people can see is on its way to the history.
    written = store.write(readings.states, deadline)
    written.landed_as = landed_as
    if written.undone:
        landing.remember(readings.accepted)
    return written
