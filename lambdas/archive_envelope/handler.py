"""ArchiveEnvelope: gives each record that Firehose delivers to the raw archive its envelope.

Called by Firehose with what it read from a Kinesis stream; writes nothing itself.
"""

from __future__ import annotations

import time
from typing import Any

from aws_lambda_powertools.logging import Logger

from lambdas.archive_envelope import logic

logger = Logger()


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> dict[str, list[dict[str, str]]]:
    """Answers Firehose's transformation event: every record is Ok and a line, or by itself ProcessingFailed."""
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
