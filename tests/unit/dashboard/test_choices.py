"""Choices outlast refreshes: options come and go, and stores fail."""

from __future__ import annotations

from datetime import datetime

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import data
from tests.unit.dashboard.pages import DOWN, raising, reading, run, typed

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("empty_stores")]


def test_the_trucks_chosen_are_kept_while_trucks_come_and_go_and_stores_fail(
    monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    def fleet(*trucks: str) -> None:
        monkeypatch.setattr(data, "truck_states", lambda: typed([reading(truck, now) for truck in trucks]))

    def chosen(page: AppTest) -> list[str]:
        assert not page.exception
        return list(page.multiselect[0].value)

    fleet("TRK001", "TRK002", "TRK003")
    page = run("fleet")
    assert chosen(page) == ["TRK001", "TRK002", "TRK003"]
    fleet("TRK000", "TRK001", "TRK002", "TRK003")
    # Nobody has chosen yet, so a new truck is shown.
    assert chosen(page.run()) == ["TRK000", "TRK001", "TRK002", "TRK003"]
    page.multiselect[0].set_value(["TRK003", "TRK001"]).run()
    fleet("TRK001", "TRK003", "TRK004")
    assert chosen(page.run()) == ["TRK003", "TRK001"]
    fleet("TRK001", "TRK004")
    assert chosen(page.run()) == ["TRK001"]
    fleet("TRK001", "TRK003", "TRK004")
    assert chosen(page.run()) == ["TRK003", "TRK001"]

    monkeypatch.setattr(data, "current_rows", raising(DOWN))
    monkeypatch.setattr(data, "truck_states", raising(DOWN))
    assert len(page.run().multiselect) == 0
    fleet("TRK001", "TRK003")
    assert chosen(page.run()) == ["TRK003", "TRK001"]

    page.switch_page("app_pages/live_clicks.py").run()
    assert chosen(page.switch_page("app_pages/fleet.py").run()) == ["TRK003", "TRK001"]
    page.multiselect[0].set_value([]).run()
    assert chosen(page.run()) == []
