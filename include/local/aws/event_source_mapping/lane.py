"""Lanes: a shard's batches that its function processes at the same time."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence

from include.local.aws.event_source_mapping.batcher import Batcher, EventRecord
from include.local.aws.event_source_mapping.processor import StoppedError


class Lane(threading.Thread):
    """Processes batches one after the other; a shard has several lanes side by side.

    Only the shard's worker touches the batcher; it hands a batch over while the lane is idle.

    Attributes:
        batcher: holds the lane's records that are in no batch yet.
        idle: whether the lane waits for a batch.
        error: the error that ended the lane, if one did.
    """

    def __init__(
        self, name: str, process: Callable[[Sequence[EventRecord]], None], when_idle: Callable[[], None]
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.batcher = Batcher()
        self.idle = True
        self.error: Exception | None = None
        self._process = process
        self._when_idle = when_idle
        self._batches: queue.SimpleQueue[Sequence[EventRecord] | None] = queue.SimpleQueue()

    def hand_over(self, batch: Sequence[EventRecord]) -> None:
        """Process this batch; the lane must be idle."""
        self.idle = False
        self._batches.put(batch)

    def end(self) -> None:
        """Make the thread end after the batch in flight."""
        self._batches.put(None)

    def run(self) -> None:
        while (batch := self._batches.get()) is not None:
            try:
                self._process(batch)
            except StoppedError:
                return
            except Exception as error:  # noqa: BLE001 - the shard's worker raises it
                self.error = error
                return
            finally:
                self.idle = self.error is None
                self._when_idle()
