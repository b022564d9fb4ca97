"""Checks that records reach the raw archive, before anything that matters is sent."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import BaseOperator, Context

from clicks_to_deliveries.hooks.aws_hook import aws_client
from clicks_to_deliveries.operators.killable import Killable
from include import names
from include.archive import objects, read
from include.archive.probe import Probe, send
from include.contracts.quarantine import Attempt, Quarantined, is_batch
from include.contracts.times import to_canonical
from include.replay.quarantine_store import QuarantineStore

POLL_SECONDS = 0.5


class ProbeArchiveOperator(Killable, BaseOperator):
    """Sends probes to every shard of the streams until the archive has one from each shard, then removes the probes.

    A probe is invalid, so its function quarantines it.  A probe that is archived moves to quarantine-resolved/.  A
    probe that Firehose missed, because it had not begun to read, is deleted from quarantine: no archive has it.

    :param bucket: (templated) the telemetry bucket.
    :param patience: how long to wait for a probe before sending another; longer than Firehose's buffers.
    :param attempts: the most probes that a shard gets.
    """

    template_fields = ("bucket",)

    def __init__(
        self,
        *,
        bucket: str,
        patience: timedelta,
        attempts: int = 3,
        streams: Sequence[str] = (names.CLICK_STREAM, names.TRUCK_STREAM),
        aws_conn_id: str = names.DEPLOYER_AWS_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.bucket = bucket
        self.patience = patience
        self.attempts = attempts
        self.streams = streams
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> None:
        kinesis, s3 = aws_client(self.aws_conn_id, "kinesis"), aws_client(self.aws_conn_id, "s3")
        sent: list[Probe] = []
        archive = _Archive(s3, self.bucket, datetime.now(UTC))
        waiting = set(self.streams)
        for attempt in range(self.attempts):
            for stream in waiting:
                sent += send(kinesis, stream, datetime.now(UTC))
            self.log.info("Sent probe %d of %d to %s", attempt + 1, self.attempts, ", ".join(sorted(waiting)))
            waiting = self._wait_for_archive(archive, sent, waiting)
            if not waiting:
                break
        self._remove(QuarantineStore(s3, self.bucket), s3, sent, archive)
        if waiting:
            raise RuntimeError(
                f"no probe of {', '.join(sorted(waiting))} reached s3://{self.bucket}/{names.ARCHIVE_PREFIX}: "
                "check the delivery stream's log group /aws/kinesisfirehose/raw-archive"
            )

    def _wait_for_archive(self, archive: _Archive, sent: Sequence[Probe], streams: set[str]) -> set[str]:
        """Return those of ``streams`` that have a shard whose probes have not arrived."""
        deadline = time.monotonic() + self.patience.total_seconds()
        while True:
            waiting = {stream for stream in streams if not archive.has_every_shard(stream, sent)}
            if not waiting or time.monotonic() > deadline:
                return waiting
            time.sleep(POLL_SECONDS)

    def _remove(self, store: QuarantineStore, s3: Any, sent: Sequence[Probe], archive: _Archive) -> None:
        """Remove every probe from quarantine, once its function has put it there.

        Raises:
            RuntimeError: a probe was not quarantined in time.
        """
        deadline = time.monotonic() + self.patience.total_seconds()
        for probe in sent:
            while (key := self._find(store, probe)) is None:
                if time.monotonic() > deadline:
                    raise RuntimeError(
                        f"the function of {probe.stream} has not quarantined the probe {probe.sequence_number}: "
                        "is its event source mapping enabled?"
                    )
                time.sleep(POLL_SECONDS)
            if not archive.has(probe):
                s3.delete_object(Bucket=self.bucket, Key=key)
                self.log.info("%s was sent before Firehose began to read: deleted", key)
            elif held := store.read(key):
                now = to_canonical(datetime.now(UTC))
                store.resolve(held, Attempt(now, self.task_id, "resolved", "a probe; it reached the archive"))
                self.log.info("%s is archived: resolved", key)

    @staticmethod
    def _find(store: QuarantineStore, probe: Probe) -> str | None:
        """The key of the probe's own object.  A batch that it may be in is unpacked, and so found the next time."""
        first, last = to_canonical(probe.sent - timedelta(minutes=5)), to_canonical(datetime.now(UTC))
        name = f"/{probe.shard_id}-{probe.sequence_number}.json"
        for key in store.keys(probe.stream, first, last):
            if key.endswith(name):
                return key
            if is_batch(key) and any(_is(probe, record) for record in store.records(key)):
                store.unpack(key)
        return None


def _is(probe: Probe, record: Quarantined) -> bool:
    return (probe.shard_id, probe.sequence_number) == (record.envelope.shard_id, record.envelope.number)


class _Archive:
    """The records archived since the first probe was sent; it reads each object once."""

    def __init__(self, s3: Any, bucket: str, since: datetime) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._since = since
        self._keys_read: set[str] = set()
        # By stream: shard and sequence number.
        self._archived: dict[str, set[tuple[str, str]]] = {}

    def has(self, probe: Probe) -> bool:
        return (probe.shard_id, probe.sequence_number) in self._archived.get(probe.stream, set())

    def has_every_shard(self, stream: str, sent: Sequence[Probe]) -> bool:
        self._read_new_objects(stream)
        probes = [probe for probe in sent if probe.stream == stream]
        return {probe.shard_id for probe in probes} == {probe.shard_id for probe in probes if self.has(probe)}

    def _read_new_objects(self, stream: str) -> None:
        found = self._archived.setdefault(stream, set())
        for each in objects(self._s3, self._bucket, stream, self._since):
            if each.key not in self._keys_read:
                self._keys_read.add(each.key)
                found |= {
                    (record.shard_id, record.sequence_number) for record in read(self._s3, self._bucket, each.key)
                }
