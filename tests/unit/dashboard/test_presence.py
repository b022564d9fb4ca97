"""What a page that nobody sees refreshes: nothing."""

from __future__ import annotations

import pytest
import streamlit as st

from dashboard import presence, ui

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("said", "refresh"), [(None, 15), (True, 15), (False, None)])
def test_only_a_page_that_the_browser_calls_hidden_stops_refreshing(
    monkeypatch: pytest.MonkeyPatch, said: bool | None, refresh: int | None
) -> None:
    # None: the browser has said nothing yet.
    monkeypatch.setattr(st, "session_state", {"is_seen": said})
    assert presence.is_seen() is (refresh is not None)
    assert ui.filters().refresh == refresh
