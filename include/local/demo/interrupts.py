"""Ctrl-C, SIGTERM and SIGHUP raise KeyboardInterrupt in the demo, but never while it starts or stops processes.

An exception inside ``subprocess.Popen`` would leave behind a process that nobody knows, and therefore nobody stops.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_deferring = False
_deferred = False


def install() -> None:
    """Handle the signals from now on.

    SIGINT is among them because a shell starts its background processes with SIGINT ignored.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)


@contextmanager
def deferred() -> Iterator[None]:
    """Defer a signal that comes inside the block to its end.

    Raises:
        KeyboardInterrupt: at the end, when a signal came.
    """
    global _deferring, _deferred
    _deferring = True
    try:
        yield
    finally:
        _deferring = False
        if _deferred:
            _deferred = False
            raise KeyboardInterrupt


def _interrupt(number: int, frame: FrameType | None) -> None:
    global _deferred
    if not _deferring:
        raise KeyboardInterrupt
    _deferred = True
