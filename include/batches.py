"""Records cut into batches that a request can carry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def batched(records: Iterable[T], size: Callable[[T], int], *, max_records: int, max_bytes: int) -> Iterator[list[T]]:
    """``records`` in order, in batches within both limits; a record larger than ``max_bytes`` is a batch of its own.

    Args:
        size: the bytes of a record.
    """
    batch: list[T] = []
    batch_bytes = 0
    for record in records:
        record_bytes = size(record)
        if batch and (len(batch) == max_records or batch_bytes + record_bytes > max_bytes):
            yield batch
            batch, batch_bytes = [], 0
        batch.append(record)
        batch_bytes += record_bytes
    if batch:
        yield batch
