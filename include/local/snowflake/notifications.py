"""The account's SQS queue, through which S3 announces files to the pipes with AUTO_INGEST."""

from __future__ import annotations

import json
import logging
import threading
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus

from botocore.exceptions import BotoCoreError, ClientError

from . import storage

log = logging.getLogger(__name__)

Message = dict[str, Any]

_GONE = {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}


class CutAnswerError(BotoCoreError):  # type: ignore[misc]  # botocore has no types
    """An answer of SQS was cut short on its way: botocore takes it for an empty one."""

    fmt = "the answer of SQS has no {field}"


class NotificationQueue:
    """One queue per account, created when it is first needed; its policy lets S3 send to it.

    The methods raise ``BotoCoreError`` or ``ClientError`` where SQS can't be reached or refuses.
    """

    def __init__(self, account: str) -> None:
        self.last_message_at: datetime | None = None
        self._name = f"sf-snowpipe-{account}"
        self._url: str | None = None
        self._arn = ""
        self._lock = threading.Lock()

    def arn(self) -> str:
        self._open()
        return self._arn

    def receive(self, wait: int) -> list[Message]:
        """Up to ten messages; waits up to ``wait`` seconds for the first."""
        answer = storage.client("sqs").receive_message(
            QueueUrl=self._open(), MaxNumberOfMessages=10, WaitTimeSeconds=wait
        )
        messages: list[Message] = answer.get("Messages", [])
        if messages:
            self.last_message_at = datetime.now(UTC)
        return messages

    def delete(self, messages: list[Message]) -> None:
        sqs, url = storage.client("sqs"), self._open()
        for start in range(0, len(messages), 10):
            entries = [
                {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]}
                for index, message in enumerate(messages[start : start + 10])
            ]
            sqs.delete_message_batch(QueueUrl=url, Entries=entries)

    def outstanding_messages(self) -> int:
        """The approximate number of messages in the queue; 0 while SQS can't be reached."""
        try:
            answer = storage.client("sqs").get_queue_attributes(
                QueueUrl=self._open(), AttributeNames=["ApproximateNumberOfMessages"]
            )
            return int(_field(answer, "Attributes", "ApproximateNumberOfMessages"))
        except (BotoCoreError, ClientError):
            return 0

    def forget_if_gone(self, error: Exception) -> None:
        """Create the queue again at its next use, if ``error`` says that somebody deleted it."""
        if isinstance(error, ClientError) and error.response.get("Error", {}).get("Code", "") in _GONE:
            self._url = None

    def _open(self) -> str:
        with self._lock:
            if self._url is None:
                sqs = storage.client("sqs")
                url = _field(sqs.create_queue(QueueName=self._name), "QueueUrl")
                found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
                arn = _field(found, "Attributes", "QueueArn")
                sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(_policy(arn))})
                self._url, self._arn = url, arn
            return self._url


def announced_objects(body: str) -> list[tuple[str, str]]:
    """Return (bucket, key) of each object that a message announces; none for S3's test message or other text."""
    try:
        event: Any = json.loads(body)
        if isinstance(event, dict) and "Message" in event:  # through SNS
            event = json.loads(event["Message"])
        records = event.get("Records", []) if isinstance(event, dict) else []
        return [
            (record["s3"]["bucket"]["name"], unquote_plus(record["s3"]["object"]["key"]))
            for record in records
            if record.get("eventName", "").removeprefix("s3:").startswith("ObjectCreated:")
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        log.warning("ignored a message that is no S3 notification: %.200s", body)
        return []


def _field(answer: dict[str, Any], *path: str) -> str:
    """The text that ``answer`` has at ``path``.

    Raises:
        CutAnswerError: there is none.
    """
    found: Any = answer
    for name in path:
        if name not in found:
            raise CutAnswerError(field=name)
        found = found[name]
    return str(found)


def _policy(arn: str) -> dict[str, Any]:
    """S3 may send to the queue from any bucket: each bucket's notification says where it sends."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "s3.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
            }
        ],
    }
