"""A real OpenID provider on this machine, whose people have the claims that a test gives them."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import flask
import oidc_provider_mock
import werkzeug.serving


class Provider:
    """A provider that answers, and lets in whoever names an account."""

    def __init__(self, app: flask.Flask, url: str) -> None:
        self._app = app
        self.url = url

    @property
    def metadata(self) -> str:
        """Where a dashboard learns how to reach it."""
        return f"{self.url}/.well-known/openid-configuration"

    def give(self, account: str, claims: Mapping[str, object]) -> None:
        """Gives an account these claims, from its next sign-in on."""
        answer = self._app.test_client().put(f"/users/{account}", json=claims)
        assert answer.status_code == 204


@contextmanager
def provider() -> Iterator[Provider]:
    """A provider on a free port."""
    app = oidc_provider_mock.app()
    app.after_request(_without_stylesheet)
    # Browsers ask for it, and a missing one is an error in their console.
    app.add_url_rule("/favicon.ico", view_func=lambda: ("", 204))
    server = werkzeug.serving.make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
    thread.start()
    yield Provider(app, f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    thread.join()
    server.server_close()


def _without_stylesheet(answer: flask.Response) -> flask.Response:
    """Its pages load a style sheet from the internet."""
    if answer.mimetype == "text/html":
        answer.set_data(re.sub(rb"<link[^>]*>", b"", answer.get_data()))
    return answer
