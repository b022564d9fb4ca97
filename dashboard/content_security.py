"""The content security policy: a browser loads nothing from another host and runs no script that a page contains.

Pages show what devices sent as text (:mod:`dashboard.as_sent`).  If one ever did not, the policy is the second barrier.
"""

from __future__ import annotations

import os
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import tiles

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


def policy(page: str, tile_host: str = "") -> str:
    """Return the policy for ``page``, the HTML into which Streamlit loads: its own inline scripts may run.

    ``tile_host`` is the only other host that a page may ask, the one with the tiles of its maps, if there is one.
    Vega compiles its expressions ('unsafe-eval'), and Streamlit's components style themselves ('unsafe-inline').
    """
    inline = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    hashes = "".join(f" 'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in inline)
    return "; ".join(
        [
            "default-src 'self'",
            f"script-src 'self' 'unsafe-eval'{hashes}",
            "style-src 'self' 'unsafe-inline'",
            f"connect-src 'self' {tile_host}".rstrip(),
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'self'",
        ]
    )


class ContentSecurityPolicy:
    """Adds the policy to every answer of ``app``."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        page = (Path(st.__file__).parent / "static" / "index.html").read_text()
        self._header = (b"content-security-policy", policy(page, tiles.origin(tiles.template(os.environ))).encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and add the header to the answer."""

        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], self._header]
            await send(message)

        await self._app(scope, receive, send_with_policy)
