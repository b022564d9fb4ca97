"""How many calls of the stores a page costs: when it opens, and in a minute of refreshes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import Any, NamedTuple

import pytest
import streamlit as st
from botocore.client import BaseClient
from snowflake.connector.cursor import SnowflakeCursor
from streamlit.runtime.caching import cache_utils
from streamlit.testing.v1 import AppTest

from dashboard import data
from dashboard.data import clock

SCRIPT = Path(__file__).parents[2] / "dashboard/navigation.py"
MINUTE = 60


class PageCalls(NamedTuple):
    """Calls by store: ``dynamodb``, ``s3``, ``snowflake`` and other services of AWS."""

    first: Counter[str]
    minute: Counter[str]


class Recorder:
    """Opens pages in this process, over the stores of its environment, and counts what they ask.

    The clock of pages and caches starts at ``start`` and moves only when ``wait`` says so.
    """

    def __init__(self, start: datetime) -> None:
        self.calls = Counter[str]()
        self.asked: list[Callable[[], object]] = []
        self._start, self._waited = start, 0.0

    @contextmanager
    def recording(self) -> Iterator[Recorder]:
        """Watches the clients of the stores, the queries of the pages and the clock."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(BaseClient, "_make_api_call", self._counted(BaseClient._make_api_call, _service))
            patch.setattr(SnowflakeCursor, "execute", self._counted(SnowflakeCursor.execute, lambda _: "snowflake"))
            patch.setattr(clock, "datetime", SimpleNamespace(now=lambda zone: self._now().astimezone(zone)))
            patch.setattr(cache_utils, "TTLCACHE_TIMER", lambda: time.monotonic() + self._waited)
            for name in data.__all__:
                query = getattr(data, name)
                if isinstance(query, FunctionType) or hasattr(query, "clear"):
                    patch.setattr(data, name, self._recorded(query))
            yield self
        st.cache_data.clear()
        st.cache_resource.clear()

    def calls_of(self, page: str, refresh: int) -> PageCalls:
        """Opens a page of ``app_pages`` as the first visitor since long ago, and stays for a minute."""
        app = AppTest.from_file(str(SCRIPT), default_timeout=120).run()  # The addresses of the pages.
        st.cache_data.clear()
        st.cache_resource.clear()
        self.calls.clear()
        self.asked.clear()
        app.switch_page(f"app_pages/{page}").run()
        assert not app.exception
        first, asked = self.calls.copy(), list(self.asked)
        self.calls.clear()
        for _ in range(MINUTE // refresh):
            self._waited += refresh
            for ask in asked:
                # As on a page: what its store lacks is asked for again.
                with suppress(data.StoreUnavailableError):
                    ask()
        return PageCalls(first, self.calls.copy())

    def _now(self) -> datetime:
        return self._start + timedelta(seconds=self._waited)

    def _counted(self, call: Callable[..., Any], store: Callable[[Any], str]) -> Callable[..., Any]:
        def counted(client: Any, *arguments: Any, **options: Any) -> Any:
            self.calls[store(client)] += 1
            return call(client, *arguments, **options)

        return counted

    def _recorded(self, query: Callable[..., Any]) -> Callable[..., Any]:
        def recorded(*arguments: Any, **options: Any) -> Any:
            self.asked.append(lambda: query(*arguments, **options))
            return query(*arguments, **options)

        return recorded


def _service(client: Any) -> str:
    return str(client.meta.service_model.service_name)
