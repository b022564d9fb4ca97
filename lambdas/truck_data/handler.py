"""TruckDataProcessor: batches of TruckTelemetry into one landing object and the newest state of each truck.

All or nothing: the batch is acknowledged when every reading is landed, every state is up to date and every invalid
record is in quarantine; otherwise it is delivered again.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.logging import Logger

from include import names
from include.contracts import times
from lambdas.common import aws, batch, environment, metrics
from lambdas.common.deadline import Deadline, StoreError
from lambdas.common.object_store import Bucket
from lambdas.common.quarantine import QuarantineWriter
from lambdas.truck_data import logic
from lambdas.truck_data.truck_state_store import TruckStateStore


class TruckEnvironment(environment.ProcessorEnvironment, frozen=True, kw_only=True):
    """See lambdas.common.environment."""

    landing_prefix: environment.NotEmpty
    truck_state_table: environment.NotEmpty


env = environment.read(TruckEnvironment, os.environ)
logger = Logger()
bucket = Bucket(aws.client("s3"), env.bucket)
store = TruckStateStore(aws.client("dynamodb"), env.truck_state_table)
quarantine = QuarantineWriter(bucket, env.quarantine_prefix, names.TRUCK_FUNCTION)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> batch.Answer:
    """Answers ReportBatchItemFailures: nothing failed, or everything from the batch's first record on."""
    deadline = Deadline.of(context)
    records = batch.records(event)
    now = datetime.now(UTC)
    readings = logic.sort_out(records, max_clock_skew=env.max_clock_skew, max_event_age=env.max_event_age)
    states = [logic.state_item(each, ingested_at=times.to_canonical(now)) for each in logic.newest(readings.accepted)]
    counts: dict[str, Any] = {
        "received": len(records),
        "duplicates": readings.duplicates,
        "quarantined": batch.by_reason(readings.rejected),
        "trucks": len(states),
    }
    try:
        quarantine.write(readings.rejected, deadline)
        if readings.accepted:
            key = logic.landing_key(env.landing_prefix, readings.accepted)
            bucket.put(key, logic.landing_object(readings.accepted), "application/gzip")
        # After landing: what a person sees as a truck's state is on its way into its history.
        states_older = store.write(states, deadline)
    except StoreError as error:
        counts |= {"landed": 0, "oldest_lag_seconds": batch.lag_seconds(event, records), "error": str(error)}
        metrics.not_acknowledged(counts)
        logger.error("batch not acknowledged", extra=counts)
        return batch.nothing_done(records)
    counts |= {
        "landed": len(readings.accepted),
        "states_older": states_older,
        "oldest_lag_seconds": batch.lag_seconds(event, records),
    }
    metrics.acknowledged(counts)
    logger.info("batch acknowledged", extra=counts)
    return batch.all_done(event, readings.rejected)
