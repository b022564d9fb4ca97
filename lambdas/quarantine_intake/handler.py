"""QuarantineIntake: what a mapping's on-failure destination holds becomes quarantine, one object a record.

Started by the bucket for each new object under aws/lambda/, and by replay for those that are still there.  The object
goes when every record of it is in quarantine, so that stopping anywhere and doing it again change nothing.
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import unquote_plus

from aws_lambda_powertools.logging import Logger

from include import names
from lambdas.common import aws, environment
from lambdas.common.deadline import Deadline
from lambdas.common.object_store import Bucket
from lambdas.common.quarantine import QuarantineWriter
from lambdas.quarantine_intake import logic

env = environment.read(environment.ProcessorEnvironment, os.environ)
logger = Logger()
bucket = Bucket(aws.client("s3"), env.bucket)
quarantine = QuarantineWriter(bucket, env.quarantine_prefix, names.INTAKE_FUNCTION)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Answers how many records it put into quarantine.

    Raises:
        StoreError: S3 failed; the object is still there for the next attempt.
        NotAnInvocationRecordError: an object under aws/lambda/ that no mapping left; it stays there.
    """
    deadline = Deadline.of(context)
    taken_in = 0
    for each in event["Records"]:
        # Keys in S3's events are encoded as in a form.
        key = unquote_plus(each["s3"]["object"]["key"])
        body = bucket.get(key)
        if body is None:
            logger.info("object taken in before", extra={"key": key})
            continue
        records = logic.abandoned(body)
        quarantine.keep(records, deadline)
        bucket.delete(key)
        taken_in += len(records)
        logger.warning("abandoned batch taken in", extra={"key": key, "records": len(records), "rule": records[0].rule})
    return {"taken_in": taken_in}
