"""A configuration of sign-in, and people who are signed in."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
import streamlit as st

from dashboard.access import settings

AUTH = {
    "redirect_uri": "https://dashboard.example.com/oauth2callback",
    "cookie_secret": "a cookie secret that is long enough",
    "client_id": "dashboard",
    "client_secret": "a client secret",
    "server_metadata_url": "https://login.example.com/.well-known/openid-configuration",
    "client_kwargs": {"scope": "openid email groups"},
}


def configure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sign-in with the groups operators and readers.  The cache of the configuration is the caller's to clear."""
    monkeypatch.setattr(settings, "read_secrets", lambda: {"auth": AUTH})
    monkeypatch.setenv("CTD_DASHBOARD_OPERATORS", "groups=operators")
    monkeypatch.setenv("CTD_DASHBOARD_READERS", "groups=readers")


def claims(**changed: Any) -> dict[str, Any]:
    """The claims of a person who signed in a minute ago."""
    issued = int(time.time()) - 60
    token = {"iss": "https://login.example.com", "sub": "1", "nonce": "n", "iat": issued, "exp": issued + 3600}
    return {"is_logged_in": True, "email": "ana@example.com", "groups": ["readers"], **token, **changed}


def sit_down(monkeypatch: pytest.MonkeyPatch, person: dict[str, Any]) -> None:
    """Streamlit knows the person by these claims."""
    monkeypatch.setattr(st, "user", SimpleNamespace(to_dict=lambda: person))
