"""Snowpipe: S3's notifications, out of the account's SQS queue, become files that a pipe has to load, become rows.

Two threads.  The receiver writes announced files down and only then deletes their messages; the loader loads all that
wait for a pipe with one COPY, whose commit also takes them off the list.  So nothing is lost by a crash at any moment,
and what is announced twice is loaded once.
"""

from __future__ import annotations

import json
import logging
import random
import threading
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from botocore.exceptions import BotoCoreError, ClientError

from . import copy_into, copy_plan, errors, load_history, pipes, storage

if TYPE_CHECKING:
    from .catalog import CatalogObject
    from .instance import Instance
    from .session import Session

log = logging.getLogger(__name__)

LONG_POLL_SECONDS = 1
# One COPY takes at most so many files, and one round of receiving ends after so many messages.
FILES_A_COPY = 1000
MESSAGES_A_ROUND = 1000
# After a failure: exponential backoff with full jitter between these.
BACKOFF_SECONDS = (0.2, 15.0)
_GONE = {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}


class CutAnswerError(BotoCoreError):
    """An answer of SQS that was cut on its way: botocore takes it for an empty one."""

    fmt = "the answer of SQS has no {field}"


class Snowpipe:
    """The account's ingestion; ``faults`` has, by pipe uid, why its last COPY could not run at all."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.faults: dict[str, str] = {}
        self.last_message_at: datetime | None = None
        self._queue_url: str | None = None
        self._queue_arn: str | None = None
        self._queue_lock = threading.Lock()
        self._stopping = threading.Event()
        self._listening = threading.Event()
        self._waiting = threading.Event()
        self._threads = [
            threading.Thread(target=self._receive, name="snowpipe-receiver", daemon=True),
            threading.Thread(target=self._load, name="snowpipe-loader", daemon=True),
        ]

    def start(self) -> None:
        """Take up where the last process stopped; AWS need not be there yet."""
        with self.instance.cursor() as duck:
            if any(pipe.definition["AUTO_INGEST"] for pipe in self.instance.catalog.list(duck, "PIPE")):
                self._listening.set()
        self._waiting.set()
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float) -> None:
        """End both threads, waiting for each at most ``timeout`` seconds."""
        self._stopping.set()
        self._listening.set()
        self._waiting.set()
        for thread in self._threads:
            thread.join(timeout)

    def wake(self) -> None:
        """There may be something to load."""
        self._waiting.set()

    def channel(self) -> str:
        """The ARN of the account's queue, which is created now if it is not there.

        Raises:
            TransientError: SQS can't be reached.
        """
        try:
            self._open_queue()
        except (BotoCoreError, ClientError) as error:
            raise errors.TransientError(f"Can't create the notification channel: {error}", 2003, "02000") from error
        self._listening.set()
        return self._queue_arn or ""

    def outstanding_messages(self) -> int:
        """Messages in the queue, as far as SQS tells; 0 while it can't be reached."""
        try:
            url = self._open_queue()
            answer = storage.client("sqs").get_queue_attributes(
                QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
            )
            return int(_field(answer, "Attributes", "ApproximateNumberOfMessages"))
        except (BotoCoreError, ClientError):
            return 0

    # --- receiving -------------------------------------------------------------------------------------------------

    def _receive(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            if not self._listening.wait(1.0):
                continue
            try:
                self._receive_round()
                failures = 0
            except (BotoCoreError, ClientError) as error:
                failures += 1
                if _code(error) in _GONE:
                    self._queue_url = None
                self._back_off("receive notifications", error, failures)
            except Exception as error:  # noqa: BLE001 - the thread must outlive whatever one round meets
                failures += 1
                self._back_off("receive notifications", error, failures)

    def _receive_round(self) -> None:
        """One long poll, then whatever else is there: many files at once cost one COPY, not one each."""
        sqs, url = storage.client("sqs"), self._open_queue()
        messages = _messages(sqs, url, LONG_POLL_SECONDS)
        more = len(messages) > 1
        while more and len(messages) < MESSAGES_A_ROUND:
            batch = _messages(sqs, url, 0)
            messages += batch
            more = bool(batch)
        if not messages or self._stopping.is_set():
            return
        self.last_message_at = datetime.now(UTC)
        objects = [found for message in messages for found in announced_objects(message["Body"])]
        self._write_down(objects)
        for start in range(0, len(messages), 10):
            entries = [
                {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]}
                for index, message in enumerate(messages[start : start + 10])
            ]
            sqs.delete_message_batch(QueueUrl=url, Entries=entries)

    def _write_down(self, objects: list[tuple[str, str]]) -> None:
        with self.instance.cursor() as duck:
            for pipe in self.instance.catalog.list(duck, "PIPE"):
                keys = [key for bucket, key in objects if pipes.announced(duck, pipe, bucket, key)]
                pipes.enqueue(duck, pipe, list(dict.fromkeys(keys)), self.last_message_at or datetime.now(UTC))
        self.wake()

    def _open_queue(self) -> str:
        with self._queue_lock:
            if self._queue_url is None:
                sqs = storage.client("sqs")
                url = _field(sqs.create_queue(QueueName=f"sf-snowpipe-{self.instance.identifier}"), "QueueUrl")
                found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
                arn = _field(found, "Attributes", "QueueArn")
                sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(_policy(arn))})
                self._queue_url, self._queue_arn = url, arn
            return self._queue_url

    # --- loading ---------------------------------------------------------------------------------------------------

    def _load(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._waiting.wait(1.0)
            if not self._waiting.is_set() or self._stopping.is_set():
                continue
            self._waiting.clear()
            try:
                again = self._load_round()
            except Exception as error:  # noqa: BLE001 - the thread must outlive whatever one round meets
                self._back_off("load", error, failures + 1)
                again = True
            failures = failures + 1 if again else 0
            if again:
                if self.faults:
                    self._pause(failures)
                self._waiting.set()

    def _load_round(self) -> bool:
        """Load what waits for each pipe; True if something is left to do, now or later."""
        with self.instance.cursor() as duck:
            waiting = [pipe for pipe in self.instance.catalog.list(duck, "PIPE") if not pipe.definition["PAUSED"]]
        again = False
        for pipe in waiting:
            if self._stopping.is_set():
                return False
            try:
                again |= self._load_pipe(pipe)
                self.faults.pop(pipe.uid, None)
            except errors.SnowflakeError as error:
                if self.faults.get(pipe.uid) != error.message:
                    log.warning("pipe %s can't load: %s", pipe.full_name, error.message)
                self.faults[pipe.uid] = error.message
                again = True
        return again

    def _load_pipe(self, pipe: CatalogObject) -> bool:
        """One COPY of the files that wait for ``pipe``; True if there are more."""
        with self.instance.cursor() as duck:
            files = pipes.pending(duck, pipe, FILES_A_COPY)
        if not files:
            return False
        session = self._session(pipe)
        try:
            with session.atomic():
                done = pipes.loaded(session.duck, pipe, files)
                fresh = [file for file in files if file.name not in done]
                if fresh:
                    expression = pipes.parse_copy(pipe.definition["COPY"])
                    plan = copy_plan.plan_copy(session, expression, on_error="SKIP_FILE")
                    loads = [load_history.FileLoad(file.key, file.name, received_at=file.received_at) for file in fresh]
                    name = (pipe.database, pipe.schema, pipe.name, pipe.uid)
                    copy_into.load(session, plan, loads, job=uuid.uuid4().hex, pipe=name)
                    for each in loads:
                        if each.status != "LOADED":
                            log.warning(
                                "pipe %s: %s %s: %s",
                                pipe.full_name,
                                each.name,
                                each.status,
                                each.first and each.first.error,
                            )
                pipes.dequeue(session.duck, pipe, files)
        except Exception as error:
            raise errors.as_snowflake_error(error) from error
        finally:
            session.close()
        return len(files) == FILES_A_COPY

    def _session(self, pipe: CatalogObject) -> Session:
        from .session import Session  # the session dispatches to pipes

        database, schema = pipe.definition["CONTEXT"]
        return Session(self.instance, database=database, schema=schema, user="SNOWPIPE")

    # --- failures --------------------------------------------------------------------------------------------------

    def _back_off(self, what: str, error: Exception, failures: int) -> None:
        if failures == 1 or failures % 10 == 0:
            log.warning("Snowpipe can't %s (attempt %d): %s", what, failures, error)
        self._pause(failures)

    def _pause(self, failures: int) -> None:
        shortest, longest = BACKOFF_SECONDS
        self._stopping.wait(random.uniform(shortest / 2, min(longest, shortest * 2 ** min(failures, 10))))  # noqa: S311


def announced_objects(body: str) -> list[tuple[str, str]]:
    """(bucket, key) of each object that a notification says was created; none for S3's test message or other text."""
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


def _field(answer: dict[str, Any], *path: str) -> Any:
    """What ``answer`` has at ``path``.

    Raises:
        CutAnswerError: it is not there.
    """
    for name in path:
        if name not in answer:
            raise CutAnswerError(field=name)
        answer = answer[name]
    return answer


def _messages(sqs: Any, url: str, wait: int) -> list[dict[str, Any]]:
    return sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=wait).get("Messages", [])


def _code(error: Exception) -> str:
    return error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""


def _policy(arn: str) -> dict[str, Any]:
    """S3 may send to the queue, from any bucket: which one is the bucket's notification's business."""
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
