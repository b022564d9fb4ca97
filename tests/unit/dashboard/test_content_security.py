"""The content security policy: what it forbids, and that it is on every answer of Streamlit's server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import streamlit as st

from dashboard.content_security import ContentSecurityPolicy, policy

pytestmark = pytest.mark.unit

INDEX = Path(st.__file__).parent / "static/index.html"


def test_nothing_comes_from_elsewhere_and_no_script_out_of_a_page() -> None:
    directives = dict(part.split(" ", 1) for part in policy(INDEX.read_text()).split("; "))
    assert directives["default-src"] == "'self'"
    assert directives["img-src"] == "'self' data: blob:"
    assert "'unsafe-inline'" not in directives["script-src"]
    assert not any("http" in sources or "*" in sources for sources in directives.values())


def test_streamlits_own_inline_scripts_may_run() -> None:
    # The hash of the text between the tags, as a browser computes it.
    assert "'sha256-RFWPLDbv2BY+rCkDzsE+0fr8ylGr2R2faWMhq4lfEQc='" in policy("<script>doSomething();</script>")
    assert "sha256" not in policy('<script src="a.js"></script>')


@pytest.mark.parametrize("kind", ["http.response.start", "websocket.accept"])
def test_every_answer_has_the_header_and_nothing_else_changes(kind: str) -> None:
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": kind, "headers": [(b"a", b"b")]})
        await send({"type": "http.response.body", "body": b"x"})

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(ContentSecurityPolicy(app)({"type": "http"}, None, send))  # type: ignore[arg-type]
    names = [name for name, _ in sent[0]["headers"]]
    assert names == ([b"a", b"content-security-policy"] if kind.startswith("http") else [b"a"])
    assert sent[1] == {"type": "http.response.body", "body": b"x"}
