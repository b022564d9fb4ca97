"""Cookies that end with the session, and the way back to the page that a person had opened."""

from __future__ import annotations

import logging

import pytest
import streamlit as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from dashboard import access
from dashboard.access.answers import SignInAnswers
from dashboard.access.settings import SignIn
from tests.unit.dashboard.access.people import configure

pytestmark = pytest.mark.unit

MONTH = 30 * 24 * 3600


async def to_provider(request: Request) -> Response:
    return RedirectResponse("https://login.example.com/authorize?client_id=d&state=S1-x", 302)


async def from_provider(request: Request) -> Response:
    answer = RedirectResponse("/", 302)
    if request.query_params.get("code"):
        answer.set_cookie("_streamlit_user", "ana", httponly=True, samesite="lax", max_age=MONTH)
        answer.set_cookie("other", "x", max_age=MONTH)
    return answer


async def other(request: Request) -> Response:
    return PlainTextResponse("text")


def client(address: str = "https://dashboard.example.com") -> TestClient:
    routes = [
        Route("/auth/login", to_provider),
        Route("/oauth2callback", from_provider),
        Route("/_stcore/metrics", other),
        Route("/_stcore/health", other),
    ]
    app = SignInAnswers(Starlette(routes=routes), SignIn((), (), 7200, address))
    return TestClient(app, base_url=address, follow_redirects=False)


def came_back(referer: str, callback: str = "/oauth2callback?code=1&state=S1-x") -> str:
    browser = client()
    browser.get("/auth/login?provider=x", headers={"referer": referer})
    return browser.get(callback).headers["location"]


def test_cookies_of_streamlit_end_with_the_session_and_travel_only_over_tls() -> None:
    cookies = client().get("/oauth2callback?code=1").headers.get_list("set-cookie")
    assert cookies[0] == "_streamlit_user=ana; HttpOnly; Max-Age=7200; Path=/; SameSite=lax; Secure"
    assert cookies[1].startswith("other=x; Max-Age=2592000")
    cookies = client("http://127.0.0.1:8501").get("/oauth2callback?code=1").headers.get_list("set-cookie")
    assert cookies[0].endswith("SameSite=lax")


def test_after_sign_in_the_page_opens_that_was_asked_for() -> None:
    assert came_back("https://dashboard.example.com/fleet?truck=a%20b&x=%C3%BC") == "/fleet?truck=a%20b&x=%C3%BC"


@pytest.mark.parametrize(
    "referer",
    [
        "",
        "https://evil.example.com/fleet",
        "https://dashboard.example.com.evil.example.com/fleet",
        "https://dashboard.example.com//evil.example.com/",
        "https://dashboard.example.com/\\evil.example.com/",
        "https://dashboard.example.com/auth/login?provider=x",
    ],
)
def test_it_never_leads_anywhere_else(referer: str) -> None:
    assert came_back(referer) == "/"


def test_without_sign_in_and_for_another_sign_in_the_first_page_opens() -> None:
    page = "https://dashboard.example.com/fleet"
    assert came_back(page, "/oauth2callback?error=denied&state=S1-x") == "/"
    assert came_back(page, "/oauth2callback?code=1&state=S2") == "/"


def test_what_the_server_counts_is_not_for_everybody() -> None:
    assert client().get("/_stcore/metrics").status_code == 404
    assert client().get("/_stcore/health").text == "text"


def test_the_server_starts_with_sign_in_or_without_it_and_not_with_half_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert access.middleware() == []
    access.sign_in.cache_clear()
    configure(monkeypatch)
    assert [each.cls for each in access.middleware()] == [SignInAnswers]
    access.sign_in.cache_clear()
    monkeypatch.setenv("CTD_DASHBOARD_OPERATORS", "")
    monkeypatch.setenv("CTD_DASHBOARD_READERS", "")
    with pytest.raises(SystemExit, match="neither CTD_DASHBOARD_OPERATORS nor CTD_DASHBOARD_READERS is set"):
        access.middleware()


@pytest.mark.parametrize(("address", "warnings"), [("127.0.0.1", 0), ("0.0.0.0", 1), (None, 1)])  # noqa: S104
def test_a_server_that_is_open_to_others_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, address: str | None, warnings: int
) -> None:
    options = {"server.address": address, "secrets.files": []}
    monkeypatch.setattr(st, "get_option", options.__getitem__)
    with caplog.at_level(logging.WARNING):
        assert access.middleware() == []
    assert len([each for each in caplog.messages if "Sign-in is not configured" in each]) == warnings
