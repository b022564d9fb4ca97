"""Values worked out from the text of a statement, kept for the next time that the text comes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

MOST_KEPT = 512

Value = TypeVar("Value")


class Memo:
    """Shared by all sessions: each run of a DAG and each load of a pipe has one of its own."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Value], *, keep: Callable[[], bool] = lambda: True) -> Value:
        """The value kept under ``key``, or a new one.

        Args:
            key: everything that the value depends on.
            keep: whether a new value is valid for the next time too; called after it was made.
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                kept: Value = self._kept[key]
                return kept
        made = make()
        if keep():
            with self._lock:
                self._kept[key] = made
                while len(self._kept) > MOST_KEPT:
                    self._kept.popitem(last=False)
        return made
