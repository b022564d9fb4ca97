"""ArchiveEnvelope: adds the envelope to each record that Firehose delivers to the raw archive.

Firehose calls it with the records that it has read from a Kinesis stream.  It writes nothing itself.
"""

from __future__ import annotations

import time
from typing import TypedDict

from aws_lambda_powertools.logging import Logger

from lambdas.archive_envelope import logic
from lambdas.common.deadline import InvocationContext

logger = Logger()


class TransformationAnswer(TypedDict):
    """The answer that Firehose expects."""

    records: list[logic.TransformedRecord]


@logger.inject_lambda_context
def handler(event: logic.FirehoseEvent, context: InvocationContext) -> TransformationAnswer:
    """Answer Firehose's transformation event: each record is Ok, as one line, or ProcessingFailed by itself."""
    answer = logic.transform(event)
    oldest = answer.oldest_arrival
    counts = {
        "delivery_stream": event.get("deliveryStreamArn", "").rpartition("/")[2],
        "received": len(answer.records),
        "archived": answer.archived,
        "oldest_lag_seconds": None if oldest is None else round(time.time() - oldest / 1000, 3),
    }
    if answer.failed:
        record_id, reason = next(iter(answer.failed.items()))
        logger.error(
            "records not archived: Firehose keeps their payload under the error prefix",
            extra={**counts, "failed": len(answer.failed), "first_failed": record_id, "reason": reason},
        )
    else:
        logger.info("records archived", extra={**counts, "failed": 0})
    return {"records": answer.records}
