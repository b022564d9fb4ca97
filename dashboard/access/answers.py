"""What Streamlit's answers lack for sign-in: cookies that end with the session, and the way back to where one was."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, unquote, urlsplit

import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from dashboard.access.settings import CALLBACK, LOOPBACK, SignIn, SignInError, sign_in

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOGIN = "/auth/login"
# Names the functions whose answers are cached, and how much they hold.
METRICS = "/_stcore/metrics"
# Streamlit's cookies, and that of its sign-in: the person's claims.
COOKIES, IDENTITY_COOKIE = "_streamlit_", "_streamlit_user="
# How long a person has to sign in at the provider and still come back to the page that they had opened.
RETURN_SECONDS = 600


log = logging.getLogger(__name__)


def middleware() -> list[Middleware]:
    """Return what the server needs for sign-in, which is nothing without it.

    Raises:
        SystemExit: sign-in is configured in part or not usable.  The server does not start.
    """
    try:
        configured = sign_in()
    except SignInError as error:
        raise SystemExit(str(error)) from None
    if configured is not None:
        return [Middleware(SignInAnswers, sign_in=configured)]
    address = st.get_option("server.address")
    if address not in LOOPBACK:
        log.warning("Sign-in is not configured: everyone who reaches %s sees everything.", address or "this server")
    return []


class SignInAnswers:
    """Changes the answers of ``app``, a Streamlit server with sign-in.

    Streamlit's cookies last 30 days, also over plain HTTP, and after sign-in it always opens the first page.
    """

    def __init__(self, app: ASGIApp, sign_in: SignIn) -> None:
        self._app = app
        self._sign_in = sign_in

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and change the headers of the answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        if request.url.path.endswith(METRICS):
            await Response(status_code=404)(scope, receive, send)
            return

        async def send_changed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                self._remember_the_way_back(request, headers)
                self._lead_back(request, headers)
                self._bound_cookies(headers)
            await send(message)

        await self._app(scope, receive, send_changed)

    def _remember_the_way_back(self, request: Request, headers: MutableHeaders) -> None:
        """On the way to the provider: keep the address of the page for this sign-in."""
        state = parse_qs(urlsplit(headers.get("location", "")).query).get("state")
        page = request.headers.get("referer", "")
        if request.url.path.endswith(LOGIN) and state and page.startswith(f"{self._sign_in.address}/"):
            way = quote(page.removeprefix(self._sign_in.address))
            attributes = f"Max-Age={RETURN_SECONDS}; Path=/; HttpOnly; SameSite=lax"
            headers.append("set-cookie", f"{_return_cookie(state[0])}={way}; {attributes}")

    def _lead_back(self, request: Request, headers: MutableHeaders) -> None:
        """On the way from the provider, if the person is signed in now: go to the page that they had opened."""
        if not request.url.path.endswith(CALLBACK):
            return
        name = _return_cookie(request.query_params.get("state", ""))
        way = unquote(request.cookies.get(name, ""))
        signed_in = any(cookie.startswith(IDENTITY_COOKIE) for cookie in headers.getlist("set-cookie"))
        if signed_in and _is_own_page(way):
            headers["location"] = way
            headers.append("set-cookie", f"{name}=; Max-Age=0; Path=/; HttpOnly; SameSite=lax")

    def _bound_cookies(self, headers: MutableHeaders) -> None:
        cookies = headers.getlist("set-cookie")
        if not cookies:
            return
        del headers["set-cookie"]
        for cookie in cookies:
            headers.append("set-cookie", self._bounded(cookie) if cookie.startswith(COOKIES) else cookie)

    def _bounded(self, cookie: str) -> str:
        longest = self._sign_in.session_seconds
        bounded = re.sub(
            r"(?<=; )max-age=(\d+)", lambda age: f"Max-Age={min(int(age[1]), longest)}", cookie, flags=re.IGNORECASE
        )
        over_tls = self._sign_in.address.startswith("https:")
        return f"{bounded}; Secure" if over_tls and "; secure" not in bounded.lower() else bounded


def _return_cookie(state: str) -> str:
    """Return the name of the cookie of one sign-in, as several tabs may be signing in."""
    return f"return_{re.sub('[^A-Za-z0-9]', '', state)}"


def _is_own_page(way: str) -> bool:
    """Return whether ``way`` is a path of this dashboard: browsers read ``//host`` and ``/\\host`` as another host."""
    return re.fullmatch(r"/(?![/\\])[^\s\\]*", way) is not None and not urlsplit(way).path.endswith((LOGIN, CALLBACK))
