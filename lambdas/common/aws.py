"""AWS clients with bounds, and calls made side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lambdas.common.deadline import Deadline, StoreError

# Calls in flight at once: they wait for the network most of the time.
CONCURRENCY = 8

# The worst case of one call, three attempts of 1 + 3 s and their waits, stays well inside an invocation.
CONFIG = Config(
    connect_timeout=1,
    read_timeout=3,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=CONCURRENCY,
    # Our requests are built from validated events by fixed code; checking each of their fields again costs as much
    # as sending them.  The service checks them too.
    parameter_validation=False,
)

_pool = ThreadPoolExecutor(CONCURRENCY, thread_name_prefix="store")

T = TypeVar("T")
R = TypeVar("R")


def client(service: str) -> Any:
    """A boto3 client with explicit timeouts and bounded retries.  Thread-safe; build it once a container."""
    return boto3.client(service, config=CONFIG)


@contextmanager
def store_errors(doing: str) -> Iterator[None]:
    """Turns every way a call to AWS fails (throttled, refused, timed out, unreachable) into a StoreError."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise StoreError(f"{doing}: {error}") from error


def in_parallel(function: Callable[[T], R], items: Iterable[T], deadline: Deadline) -> list[R]:
    """``function`` of each item, in their order.

    After the first error, or past the deadline, nothing more is begun; what has begun is waited for, so that nothing
    writes on behind an invocation that has answered.

    Raises:
        StoreError: the deadline has passed.
        Exception: whatever ``function`` raised first.
    """

    def in_time(item: T) -> R:
        if deadline.remaining() <= 0:
            raise StoreError("no time left to write everything")
        return function(item)

    futures = [_pool.submit(in_time, item) for item in items]
    wait(futures, return_when=FIRST_EXCEPTION)
    for future in futures:
        future.cancel()
    wait(futures)
    if failed := [future for future in futures if not future.cancelled() and future.exception()]:
        failed[0].result()
    return [future.result() for future in futures]


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """``items`` in lists of ``size``, the last one possibly shorter."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
