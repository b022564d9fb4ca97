"""TruckDataProcessor: writes batches of TruckTelemetry to one landing object and to the newest state of each truck.

All or nothing: a batch is acknowledged once every reading has landed, every state is up to date and every invalid
record is in quarantine.  Otherwise it is delivered again.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime

from aws_lambda_powertools.logging import Logger

from include import names
from include.contracts import times
from include.contracts.kinesis_event import KinesisEvent
from lambdas.common import aws, batch, environment, metrics
from lambdas.common.deadline import Deadline, InvocationContext, StoreError
from lambdas.common.object_store import Bucket
from lambdas.common.quarantine import QuarantineWriter
from lambdas.truck_data import logic
from lambdas.truck_data.truck_state_store import TruckStateStore


class TruckEnvironment(environment.ProcessorEnvironment, frozen=True, kw_only=True):
    """See lambdas.common.environment."""

    landing_prefix: environment.NotEmpty
    truck_state_table: environment.NotEmpty


env = environment.read(TruckEnvironment, os.environ)
metric_policy = environment.metric_policy(os.environ)
logger = Logger()
bucket = Bucket(aws.client("s3"), env.bucket)
store = TruckStateStore(aws.client("dynamodb"), env.truck_state_table)
quarantine = QuarantineWriter(bucket, env.quarantine_prefix, names.TRUCK_FUNCTION)


@logger.inject_lambda_context
def handler(event: KinesisEvent, context: InvocationContext) -> batch.BatchAnswer:
    """Answer in the form of ReportBatchItemFailures: no record failed, or the whole batch did."""
    deadline = Deadline.of(context)
    records = batch.records(event)
    now = datetime.now(UTC)
    readings = logic.sort_out(records, env.time_limits, metric_policy)
    states = [logic.state_item(each, ingested_at=times.to_canonical(now)) for each in logic.newest(readings.accepted)]
    counts: metrics.BatchCounts = {
        "received": len(records),
        "duplicates": readings.duplicates,
        "quarantined": batch.by_reason(readings.rejected),
    }
    try:
        quarantine.write(readings.rejected, deadline)
        if readings.accepted:
            key = logic.landing_key(env.landing_prefix, readings.accepted)
            bucket.put(key, logic.landing_object(readings.accepted), "application/gzip")
        # After landing: a state that people can see is on its way to the history.
        states_older = store.write(states, deadline)
    except StoreError as error:
        lag = batch.lag_seconds(event, records)
        metrics.not_acknowledged(lag)
        outcome = {"trucks": len(states), "landed": 0, "oldest_lag_seconds": lag, "error": str(error)}
        logger.error("batch not acknowledged", extra={**counts, **outcome})
        return batch.nothing_done(records)
    lag = batch.lag_seconds(event, records)
    nulled = readings.nulled
    metrics.acknowledged(counts, lag, nulled)
    landed = {"trucks": len(states), "landed": len(readings.accepted), "nulled": nulled}
    logger.info(
        "batch acknowledged", extra={**counts, **landed, "states_older": states_older, "oldest_lag_seconds": lag}
    )
    return batch.all_done(event, readings.rejected)
