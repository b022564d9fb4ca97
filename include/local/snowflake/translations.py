"""Translated statements, kept for the next time that their text comes: translating takes longer than most run."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

MOST_KEPT = 512

Translation = TypeVar("Translation")


class Translations:
    """The account's translations: each run of a DAG and each load of a pipe has a session of its own."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(
        self, key: Hashable, translate: Callable[[], Translation], *, keep: Callable[[], bool] = lambda: True
    ) -> Translation:
        """The translation kept under ``key``, or a new one.

        Args:
            key: everything that the translation depends on.
            keep: whether a new translation is valid for the next time too; called after it was made.
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                kept: Translation = self._kept[key]
                return kept
        made = translate()
        if keep():
            with self._lock:
                self._kept[key] = made
                while len(self._kept) > MOST_KEPT:
                    self._kept.popitem(last=False)
        return made
