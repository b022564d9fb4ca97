"""What statements were translated to, for the next time that their text comes: translating takes longer than most."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from .session import Session

MOST_KEPT = 512

Translation = TypeVar("Translation")


class Translations:
    """The account's, as each run of a DAG and each load of a pipe has a session of its own."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Hashable, ...], Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(
        self,
        session: Session,
        statement: Hashable,
        translate: Callable[[], Translation],
        *,
        keep: Callable[[], bool] = lambda: True,
    ) -> Translation:
        """What ``translate`` made of ``statement`` in such a session, or makes of it now.

        Args:
            statement: all that the translation depends on besides the session's context.
            keep: asked after it was made: whether it is good for the next time too.
        """
        key = (statement, session.database, session.schema, session.warehouse, session.role, session.user)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = translate()
        if keep():
            with self._lock:
                self._kept[key] = made
                while len(self._kept) > MOST_KEPT:
                    self._kept.popitem(last=False)
        return made
