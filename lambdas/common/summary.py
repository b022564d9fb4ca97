"""The one log line of an invocation, and its metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from aws_lambda_powertools.logging import Logger

from include.contracts.kinesis_event import KinesisEvent
from lambdas.common import metrics
from lambdas.common.batch import BatchRecord, lag_seconds
from lambdas.common.processing import Outcome, P


def report(
    logger: Logger,
    event: KinesisEvent,
    records: Sequence[BatchRecord],
    outcome: Outcome[P],
    counts: metrics.BatchCounts,
    more: Mapping[str, object],
    nulled: Mapping[str, int] = MappingProxyType({}),
) -> None:
    """Log how the batch ended, and report its metrics: only what is acknowledged, as the rest is delivered again.

    Args:
        counts: of the records that are done, or of all if none is.
        more: further fields of the line.
        nulled: see metrics.acknowledged.
    """
    for fault in outcome.faults[:1]:
        # One record's trace says it all; the others are in quarantine with its last line.
        logger.error("our code fails on a record, which is quarantined", exc_info=fault)
    lag = lag_seconds(event, records)
    fields = {**counts, **more, **_batch(records), "oldest_lag_seconds": lag}
    left = len(records) - outcome.done
    if left == 0:
        metrics.acknowledged(counts, lag, nulled)
        logger.info("batch acknowledged", extra=fields)
        return
    fields["error"] = outcome.written.error
    if outcome.done:
        metrics.acknowledged(counts, lag, nulled)
        logger.error("batch acknowledged in part", extra={**fields, "delivered_again": left})
    else:
        metrics.not_acknowledged(lag)
        logger.error("batch not acknowledged", extra=fields)


def _batch(records: Sequence[BatchRecord]) -> dict[str, str]:
    """Which records these are: a batch comes from one shard, in the order of its sequence numbers."""
    if not records:
        return {}
    first, last = records[0].envelope, records[-1].envelope
    return {
        "shard_id": first.shard_id,
        "first_sequence_number": first.sequence_number,
        "last_sequence_number": last.sequence_number,
    }
