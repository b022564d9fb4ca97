"""Who may see the dashboard, and until when; and the page of those who may not."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard import access, data
from dashboard.access import session
from dashboard.access.roles import Role
from dashboard.access.session import Standing
from dashboard.access.settings import SignIn
from tests.unit.dashboard.access.people import claims, configure, sit_down
from tests.unit.dashboard.pages import APP

pytestmark = pytest.mark.unit

HOUR = 3600


def test_without_sign_in_everyone_is_an_operator() -> None:
    assert session.standing() is Standing.ADMITTED
    assert access.is_operator()


@pytest.mark.parametrize(
    ("person", "standing", "role"),
    [
        (claims(), Standing.ADMITTED, Role.READER),
        (claims(groups=["operators"]), Standing.ADMITTED, Role.OPERATOR),
        (claims(groups=[]), Standing.WITHOUT_ROLE, None),
        ({}, Standing.SIGNED_OUT, None),
        ({"is_logged_in": False}, Standing.SIGNED_OUT, None),
        (claims(is_logged_in="yes"), Standing.SIGNED_OUT, None),
        (claims(exp=time.time() - 1), Standing.ENDED, None),
        (claims(exp=None), Standing.ENDED, None),
        (claims(exp="9999999999"), Standing.ENDED, None),
        (claims(iat=None), Standing.ENDED, None),
        # The provider's token lasts for a day, the session for twelve hours.
        (claims(iat=time.time() - 13 * HOUR, exp=time.time() + 11 * HOUR), Standing.ENDED, None),
        (claims(iat=time.time() - 11 * HOUR, exp=time.time() + 11 * HOUR), Standing.ADMITTED, Role.READER),
    ],
)
def test_a_person_is_admitted_with_a_role_until_the_session_ends(
    monkeypatch: pytest.MonkeyPatch, person: dict[str, Any], standing: Standing, role: Role | None
) -> None:
    configure(monkeypatch)
    sit_down(monkeypatch, person)
    assert session.standing() is standing
    assert session.role() is role
    assert access.is_operator() is (role is Role.OPERATOR)


def test_the_session_ends_with_the_token_or_after_the_longest_time() -> None:
    configured = SignIn((), (), 100, "")
    assert session.ends_at({"iat": 1000, "exp": 1050}, configured) == 1050
    assert session.ends_at({"iat": 1000, "exp": 5000}, configured) == 1100


def test_a_sign_in_that_was_ended_opens_nothing_and_the_next_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch)
    monkeypatch.setattr(st, "logout", lambda: None)
    person = claims(sub="whoever signs out")
    sit_down(monkeypatch, person)
    session.end()
    assert session.standing() is Standing.SIGNED_OUT
    sit_down(monkeypatch, person | {"nonce": "of the next sign-in"})
    assert session.standing() is Standing.ADMITTED
    sit_down(monkeypatch, person | {"sub": "somebody else"})
    assert session.standing() is Standing.ADMITTED


@pytest.mark.parametrize(
    ("person", "title", "button"),
    [
        ({}, "Clicks to Deliveries", "Sign in"),
        (claims(exp=0), "Your session has ended", "Sign in again"),
        (claims(groups=[], email="**noel**@example.com"), "You don’t have access yet", "Sign out"),
    ],
)
def test_nothing_is_queried_for_a_person_who_may_not_see_it(
    monkeypatch: pytest.MonkeyPatch, person: dict[str, Any], title: str, button: str
) -> None:
    configure(monkeypatch)
    sit_down(monkeypatch, person)
    for name in data.__all__:
        if callable(getattr(data, name)) and not isinstance(getattr(data, name), type):
            monkeypatch.setattr(data, name, lambda *_, name=name, **__: pytest.fail(f"data.{name} was called"))
    page = AppTest.from_file(APP, default_timeout=120).run()
    assert not page.exception
    assert [each.value for each in page.title] == [title]
    assert [each.label for each in page.button] == [button]
    assert not page.sidebar.children
    if not person.get("groups", True):
        assert "`**noel**@example.com`" in page.main.markdown[-1].value


@pytest.mark.usefixtures("empty_stores")
def test_a_reader_sees_a_page_and_who_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch)
    sit_down(monkeypatch, claims())
    page = AppTest.from_file(APP, default_timeout=120).run()
    assert not page.exception
    assert page.title
    assert "Signed in as `ana@example.com`, reader." in [caption.value for caption in page.sidebar.caption]
    assert "Sign out" in [button.label for button in page.sidebar.button]


def test_a_fragment_asks_who_is_there_before_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch)
    ran = []

    class RerunError(Exception):
        pass

    def rerun() -> None:
        raise RerunError

    monkeypatch.setattr(st, "rerun", rerun)
    monkeypatch.setattr(st, "fragment", lambda run_every: lambda show: show)
    live = access.fragment(run_every=2)(lambda: ran.append("shown"))
    sit_down(monkeypatch, claims())
    live()
    sit_down(monkeypatch, claims(exp=0))
    with pytest.raises(RerunError):
        live()
    assert ran == ["shown"]


def test_no_page_has_a_fragment_that_would_outlive_a_session() -> None:
    root = Path(APP).parent
    for path in root.rglob("*.py"):
        if path != root / "access/session.py":
            assert not re.search(r"\bst\.(fragment|dialog)\b", path.read_text()), f"{path}: use access.fragment"
