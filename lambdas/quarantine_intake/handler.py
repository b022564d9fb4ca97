"""QuarantineIntake: moves a mapping's on-failure destination to quarantine, one object per record of a usual batch.

The bucket of abandoned batches invokes it for each new object, and a replay for objects that are still there.  It
deletes an object once all its records are in quarantine, so it can stop anywhere and safely start again.
"""

from __future__ import annotations

import os
from typing import TypedDict
from urllib.parse import unquote_plus

from aws_lambda_powertools.logging import Logger

from include import names
from lambdas.common import aws, environment
from lambdas.common.deadline import Deadline, InvocationContext
from lambdas.common.object_store import Bucket
from lambdas.common.quarantine import QuarantineWriter
from lambdas.quarantine_intake import logic

# An object each takes some milliseconds.  A batch of aggregated records, of which 6 MB hold tens of thousands, would
# not be taken in within the function's minute, however often it is tried.
MOST_SINGLE_OBJECTS = 1_000


class S3Object(TypedDict):
    """The part of a changed object's description that is used here."""

    key: str


class S3Entity(TypedDict):
    object: S3Object


class S3EventRecord(TypedDict):
    s3: S3Entity


class S3Event(TypedDict):
    """A notification of the bucket."""

    Records: list[S3EventRecord]


class IntakeEnvironment(environment.ProcessorEnvironment, frozen=True, kw_only=True):
    """See lambdas.common.environment."""

    abandoned_bucket: environment.NotEmpty


env = environment.read(IntakeEnvironment, os.environ)
logger = Logger()
s3 = aws.client("s3")
abandoned = Bucket(s3, env.abandoned_bucket)
telemetry = Bucket(s3, env.bucket)
quarantine = QuarantineWriter(telemetry, env.quarantine_prefix, names.INTAKE_FUNCTION)


@logger.inject_lambda_context
def handler(event: S3Event, context: InvocationContext) -> dict[str, int]:
    """Answer the number of records that are now in quarantine.

    Raises:
        StoreError: S3 failed; the object is still there for the next attempt.
        NotAnInvocationRecordError: no mapping wrote this object; it stays where it is.
    """
    deadline = Deadline.of(context)
    taken_in = 0
    for each in event["Records"]:
        # S3 encodes the keys in its events like form values.
        key = unquote_plus(each["s3"]["object"]["key"])
        body = abandoned.get(key)
        if body is None:
            logger.info("object was taken in before", extra={"key": key})
            continue
        records = logic.abandoned(body)
        # A record that a processor has quarantined keeps its reason, and its object.  If it is in another one too, a
        # replay takes its reason from there.
        quarantine.keep(records, deadline, one_each=len(records) <= MOST_SINGLE_OBJECTS)
        # Before the batch goes: then nothing else says that there was one.
        telemetry.put_new(logic.notice_key(key), logic.notice(records), "application/json")
        abandoned.delete(key)
        taken_in += len(records)
        logger.warning("abandoned batch taken in", extra={"key": key, "records": len(records), "rule": records[0].rule})
    return {"taken_in": taken_in}
