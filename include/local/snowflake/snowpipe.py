"""Snowpipe: S3's notifications in the account's SQS queue become pending files, and pending files become rows.

Two threads do this.  The receiver records announced files and only then deletes their messages.  The loader loads all
files that wait for a pipe with one COPY, and the same commit removes them from the pipe's queue.  So a crash at any
moment loses nothing, and a file that is announced twice is loaded once.
"""

from __future__ import annotations

import logging
import random
import threading
import uuid
from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError, ClientError

from . import authorization, copy_into, copy_plan, error_notifications, errors, load_history, needs, pipe_queue, pipes
from .catalog import CatalogObject
from .context import Context, Login
from .file_loads import FileLoad
from .instance import Instance
from .load_history import LoadingPipe
from .notifications import announced_objects
from .privileges import Securable

log = logging.getLogger(__name__)

LONG_POLL_SECONDS = 1
# Limits of one COPY, and of one round of receiving.
FILES_PER_COPY = 1000
MESSAGES_PER_ROUND = 1000
# After a failure: exponential backoff with full jitter between these.
BACKOFF_SECONDS = (0.2, 15.0)


class Snowpipe:
    """The threads that serve an instance's pipes."""

    def __init__(self, instance: Instance) -> None:
        self._instance, self._ingestion = instance, instance.ingestion
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._receive, name="snowpipe-receiver", daemon=True),
            threading.Thread(target=self._load, name="snowpipe-loader", daemon=True),
        ]

    def start(self) -> None:
        """Continue where the last process stopped; AWS need not be reachable yet."""
        with self._instance.cursor() as duck:
            if any(pipe.definition["AUTO_INGEST"] for pipe in self._instance.catalog.objects(duck, "PIPE")):
                self._ingestion.listening.set()
        self._ingestion.wake()
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float) -> None:
        """End both threads; wait at most ``timeout`` seconds for each."""
        self._stopping.set()
        self._ingestion.listening.set()
        self._ingestion.wake()
        for thread in self._threads:
            thread.join(timeout)

    # --- receiving ---------------------------------------------------------------------------------------------------

    def _receive(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            if not self._ingestion.listening.wait(1.0) or self._stopping.is_set():
                continue
            try:
                self._receive_round()
                failures = 0
            except (BotoCoreError, ClientError) as error:
                failures += 1
                self._ingestion.queue.forget_if_gone(error)
                self._back_off("receive notifications", error, failures)
            except Exception as error:  # noqa: BLE001 - the thread must survive any failure of one round
                failures += 1
                self._back_off("receive notifications", error, failures)

    def _receive_round(self) -> None:
        """One long poll, then everything else in the queue: many new files cost one COPY, not one each."""
        queue = self._ingestion.queue
        messages = queue.receive(LONG_POLL_SECONDS)
        more = len(messages) > 1
        while more and len(messages) < MESSAGES_PER_ROUND:
            batch = queue.receive(0)
            messages += batch
            more = bool(batch)
        if not messages or self._stopping.is_set():
            return
        self._write_down([found for message in messages for found in announced_objects(message["Body"])])
        queue.delete(messages)

    def _write_down(self, objects: list[tuple[str, str]]) -> None:
        received_at = self._ingestion.queue.last_message_at or datetime.now(UTC)
        with self._instance.cursor() as duck:
            for pipe in self._instance.catalog.objects(duck, "PIPE"):
                keys = [key for bucket, key in objects if pipe_queue.is_for(pipe, bucket, key)]
                pipe_queue.enqueue(duck, pipe, list(dict.fromkeys(keys)), received_at)
                if keys:
                    self._ingestion.forwarded[pipe.uid] = keys[-1], received_at
        self._ingestion.wake()

    # --- loading -----------------------------------------------------------------------------------------------------

    def _load(self) -> None:
        failures, waiting = 0, self._ingestion.waiting
        while not self._stopping.is_set():
            waiting.wait(1.0)
            if not waiting.is_set() or self._stopping.is_set():
                continue
            waiting.clear()
            try:
                again = self._load_round()
            except Exception as error:  # noqa: BLE001 - the thread must survive any failure of one round
                self._back_off("load", error, failures + 1)
                again = True
            failures = failures + 1 if again else 0
            if again:
                if self._ingestion.faults:
                    self._pause(failures)
                waiting.set()

    def _load_round(self) -> bool:
        """Load the files that wait for each pipe; True if something is left to do, now or later."""
        with self._instance.cursor() as duck:
            pipes_to_run = [p for p in self._instance.catalog.objects(duck, "PIPE") if not p.definition["PAUSED"]]
        faults, again = self._ingestion.faults, False
        for uid in faults.keys() - {pipe.uid for pipe in pipes_to_run}:
            del faults[uid]
        for pipe in pipes_to_run:
            if self._stopping.is_set():
                return False
            try:
                again |= self._load_pipe(pipe)
                faults.pop(pipe.uid, None)
            except errors.SnowflakeError as error:
                if faults.get(pipe.uid) != error.message:
                    log.warning("pipe %s can't load: %s", pipe.full_name, error.message)
                faults[pipe.uid] = error.message
                again = True
        return again

    def _load_pipe(self, pipe: CatalogObject) -> bool:
        """Run one COPY of the files that wait for ``pipe``; True if there are more."""
        with self._instance.cursor() as duck:
            files = pipe_queue.pending(duck, pipe, FILES_PER_COPY)
        if not files:
            return False
        database, schema = pipe.definition["CONTEXT"]
        owner = self._instance.grants.owner(Securable("PIPE", (pipe.database, pipe.schema, pipe.name)))
        login = Login(database=database, schema=schema, warehouse=None, role=owner, user="SNOWPIPE")
        context = Context(self._instance, login)
        try:
            with context.atomic():
                loaded = load_history.loaded_by(context.duck, pipe, [file.name for file in files])
                new = [FileLoad(each.key, each.name, received_at=each.received_at) for each in files
                       if each.name not in loaded]  # fmt: skip
                if new:
                    copy = pipes.parse_copy(pipe.definition["COPY"])
                    authorization.check(context, needs.of_loading(context, copy))
                    plan = copy_plan.plan_copy(context, copy, on_error="SKIP_FILE")
                    loading = LoadingPipe((pipe.database, pipe.schema, pipe.name), pipe.uid)
                    copy_into.load(context, plan, new, job=uuid.uuid4().hex, pipe=loading)
                    _log_failures(pipe, new)
                pipe_queue.dequeue(context.duck, pipe, files)
            if new:
                catalog, table = self._instance.catalog, plan.target.table
                error_notifications.publish(catalog, context.duck, pipe, table, new)
                self._instance.meter.loaded(pipe.full_name, sum(each.unpacked for each in new), len(new))
        except Exception as error:
            raise errors.as_snowflake_error(error) from error
        finally:
            context.close()
        return len(files) == FILES_PER_COPY

    # --- failures ----------------------------------------------------------------------------------------------------

    def _back_off(self, action: str, error: Exception, failures: int) -> None:
        if failures == 1 or failures % 10 == 0:
            log.warning("Snowpipe can't %s (attempt %d): %s", action, failures, error)
        self._pause(failures)

    def _pause(self, failures: int) -> None:
        shortest, longest = BACKOFF_SECONDS
        self._stopping.wait(random.uniform(shortest / 2, min(longest, shortest * 2 ** min(failures, 10))))  # noqa: S311


def _log_failures(pipe: CatalogObject, loads: list[FileLoad]) -> None:
    for each in loads:
        if each.status != "LOADED":
            log.warning("pipe %s: %s %s: %s", pipe.full_name, each.name, each.status, each.first and each.first.error)
