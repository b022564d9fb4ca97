"""Choices outlast refreshes: options come and go, and stores fail."""

from __future__ import annotations

import json
from datetime import date, datetime

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import choices, data, ui
from tests.unit.dashboard.pages import APP, DOWN, PATHS, raising, reading, run, typed

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("empty_stores")]


def test_the_trucks_chosen_are_kept_while_trucks_come_and_go_and_stores_fail(
    monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    def fleet(*trucks: str) -> None:
        monkeypatch.setattr(data, "truck_states", lambda: typed([reading(truck, now) for truck in trucks]))

    def chosen(page: AppTest) -> list[str]:
        assert not page.exception
        return list(page.multiselect[0].value)

    def shown(page: AppTest) -> list[str]:
        return list(page.dataframe[0].value["truck_id"])

    fleet("TRK001", "TRK002", "TRK003")
    page = run("fleet")
    assert shown(page) == ["TRK001", "TRK002", "TRK003"]
    fleet("TRK000", "TRK001", "TRK002", "TRK003")
    # Nobody has chosen yet, so a new truck is shown.
    assert shown(page.run()) == ["TRK000", "TRK001", "TRK002", "TRK003"]
    page.multiselect[0].set_value(["TRK003", "TRK001"]).run()
    fleet("TRK001", "TRK003", "TRK004")
    assert chosen(page.run()) == ["TRK003", "TRK001"]
    assert shown(page) == ["TRK001", "TRK003"]
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
    assert chosen(page.switch_page("app_pages/fleet/page.py").run()) == ["TRK003", "TRK001"]
    page.multiselect[0].set_value([]).run()
    assert chosen(page.run()) == []


ODD = "Zug 7/8 & Söhne? #1 +50% =\u202e'\"<b>\n🚚"


def fleet_of(monkeypatch: pytest.MonkeyPatch, now: datetime, *trucks: str) -> None:
    monkeypatch.setattr(data, "truck_states", lambda: typed([reading(truck, now) for truck in trucks]))


def address(page: AppTest) -> dict[str, list[str]]:
    return {key: value if isinstance(value, list) else [value] for key, value in page.query_params.items()}


def opened(page: str, **address: str | list[str]) -> AppTest:
    """A page as a new session sees it that opens this address."""
    app = AppTest.from_file(APP, default_timeout=120)
    if page in PATHS:
        app.run()
    app.switch_page(f"app_pages/{PATHS.get(page, f'{page}.py')}")
    for key, value in address.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception
    return app


def test_an_address_opens_the_view_that_another_session_shows(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    fleet_of(monkeypatch, now, "TRK001", ODD, "TRK003")
    first = run("fleet")
    assert address(first) == {}
    first.multiselect[0].set_value([ODD, "TRK003"]).run()
    first.selectbox(key="window").set_value("1 hour").run()
    assert address(first) == {"trucks": [ODD, "TRK003"], "window": ["1 hour"]}
    second = opened("fleet", **first.query_params)
    assert second.multiselect[0].value == [ODD, "TRK003"]
    assert second.selectbox(key="window").value == "1 hour"
    # A default is no choice.
    first.multiselect[0].set_value([]).run()
    first.selectbox(key="window").set_value("15 minutes").run()
    assert address(first) == {}


def of_two() -> None:
    """A page with a choice of which the default is everything."""
    from dashboard import choices

    choices.arrive("page")
    choices.many("Trucks", ["TRK001", "TRK002"], ["TRK001", "TRK002"], key="trucks")


def test_nothing_at_all_is_a_choice_too() -> None:
    page = AppTest.from_function(of_two).run()
    assert page.multiselect[0].value == ["TRK001", "TRK002"]
    page.multiselect[0].set_value([]).run()
    assert address(page) == {"trucks": [""]}
    other = AppTest.from_function(of_two)
    other.query_params["trucks"] = ""
    assert other.run().multiselect[0].value == []


def test_an_address_is_kept_until_its_store_answers(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    monkeypatch.setattr(data, "current_rows", raising(DOWN))
    monkeypatch.setattr(data, "truck_states", raising(DOWN))
    page = opened("fleet", trucks=["TRK002"])
    assert address(page) == {"trucks": ["TRK002"]}
    fleet_of(monkeypatch, now, "TRK001", "TRK002")
    assert page.run().multiselect[0].value == ["TRK002"]


def test_what_an_address_says_amiss_is_ignored(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    fleet_of(monkeypatch, now, "TRK001")
    page = opened("fleet", window="a fortnight", refresh="", zone="mars", trucks=["nobody", "TRK001"], utm_source="x")
    assert page.selectbox(key="window").value == ui.DEFAULT_WINDOW
    assert page.selectbox(key="refresh").value == ui.DEFAULT_REFRESH
    assert page.multiselect[0].value == ["TRK001"]
    assert any("`a fortnight` is not available now" in caption.value for caption in page.caption)


def test_a_page_that_is_left_and_entered_again_has_its_choices_in_the_address(
    monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    fleet_of(monkeypatch, now, "TRK001", "TRK002")
    page = run("fleet")
    page.multiselect[0].set_value(["TRK002"]).run()
    page.selectbox(key="refresh").set_value("off").run()
    # A browser leaves a page with an empty address.
    page.query_params.clear()
    page.switch_page("app_pages/live_clicks.py").run()
    assert address(page) == {"refresh": ["off"]}
    page.query_params.clear()
    page.switch_page("app_pages/fleet/page.py").run()
    assert address(page) == {"refresh": ["off"], "trucks": ["TRK002"]}
    # A link to the page with a choice set.
    page.switch_page("app_pages/live_clicks.py").run()
    page.query_params.clear()
    page.query_params["trucks"] = "TRK001"
    assert page.switch_page("app_pages/fleet/page.py").run().multiselect[0].value == ["TRK001"]


def test_an_address_from_before_a_choice_does_not_undo_it(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    fleet_of(monkeypatch, now, "TRK001", "TRK002")
    page = opened("fleet", trucks=["TRK002"])
    page.multiselect[0].set_value(["TRK001"]).run()
    # A refresh that the browser asked for before it knew the new address.
    page.query_params["trucks"] = "TRK002"
    assert page.run().multiselect[0].value == ["TRK001"]
    assert address(page) == {"trucks": ["TRK001"]}


def test_going_back_undoes_a_choice(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    fleet_of(monkeypatch, now, "TRK001", "TRK002")
    page = run("fleet")
    page.multiselect[0].set_value(["TRK001"]).run()
    page.multiselect[0].set_value(["TRK002"]).run()
    monkeypatch.setattr(choices, "_is_back_or_forward", lambda: True)
    page.query_params["trucks"] = "TRK001"
    assert page.run().multiselect[0].value == ["TRK001"]
    page.query_params.clear()
    assert page.run().multiselect[0].value == []


def script() -> None:
    """Every other kind of choice."""
    from datetime import date

    import streamlit as st

    from dashboard import choices

    choices.arrive("page")
    part = choices.part("Parts", ["Map", "List"], "part")
    on = choices.switch("Retired too", "retired")
    day = choices.day("Day", date(2026, 11, 22), date(2026, 11, 1), date(2026, 11, 30), "day")
    about = st.radio("about", ["A", "B"])
    text = choices.text("At", f"first of {about}", "at", "an instant", of=about)
    st.button("pick", on_click=choices.put, args=["picked", "TRK009"])
    st.button("drop", on_click=choices.put, args=["picked"])
    st.json([part, on, f"{day}", text, choices.kept("picked")])


def test_every_kind_of_choice_is_in_the_address() -> None:
    page = AppTest.from_function(script).run()

    def shown(page: AppTest) -> object:
        assert not page.exception
        return json.loads(page.json[0].value)

    assert shown(page) == ["Map", False, "2026-11-22", "first of A", None]
    assert address(page) == {}
    page.segmented_control[0].set_value("List").run()
    page.toggle[0].set_value(True).run()
    page.date_input[0].set_value(date(2026, 11, 20)).run()
    page.text_input[0].set_value("noon").run()
    page.button[0].click().run()
    expected = {"part": ["List"], "retired": ["yes"], "day": ["2026-11-20"], "at": ["noon"], "picked": ["TRK009"]}
    assert address(page) == expected
    other = AppTest.from_function(script)
    for key, value in page.query_params.items():
        other.query_params[key] = value
    assert shown(other.run()) == ["List", True, "2026-11-20", "noon", "TRK009"]
    # Another has its own text, and nothing picked is a choice too.
    page.radio[0].set_value("B").run()
    page.button[1].click().run()
    assert shown(page)[3:] == ["first of B", None]
    assert "at" not in page.query_params
    assert shown(page.radio[0].set_value("A").run())[3] == "noon"
    broken = AppTest.from_function(script)
    broken.query_params.update({"part": "Globe", "retired": "maybe", "day": "someday"})
    assert shown(broken.run()) == ["Map", False, "2026-11-22", "first of A", None]
    broken.query_params.clear()
    far = AppTest.from_function(script)
    far.query_params["day"] = "9999-12-31"
    assert shown(far.run())[2] == "2026-11-30"
