"""Work on several items at a time, until one fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")


def for_each(
    work: Callable[[T], None], items: Iterable[T], *, workers: int, stop: threading.Event | None = None
) -> None:
    """Call ``work`` with every item, ``workers`` at a time.

    After an error, or Ctrl-C, nothing more is begun, and calls that run are waited for.  ``stop`` is set then, so that
    a long call can end early.

    Raises:
        BaseException: what the first failed call raised.
    """
    stopped = stop or threading.Event()

    def work_unless_stopped(item: T) -> None:
        if stopped.is_set():
            return
        try:
            work(item)
        except BaseException:
            stopped.set()
            raise

    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(work_unless_stopped, item) for item in items]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            stopped.set()
            for future in futures:
                future.cancel()
    for future in done:
        future.result()
