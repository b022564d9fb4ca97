"""Sign-in is configured as a whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit import config

from dashboard.access.settings import AUTH_KEYS, SignInError, read_secrets, read_sign_in
from tests.unit.dashboard.access.people import AUTH

pytestmark = pytest.mark.unit

DEPLOYED = {"CTD_DEPLOYMENT_BUCKET": "deployment"}
OPERATORS = {"CTD_DASHBOARD_OPERATORS": "groups=operators"}


def refused(environ: dict[str, str], auth: object) -> str:
    with pytest.raises(SignInError) as error:
        read_sign_in({**DEPLOYED, **environ}, {} if auth is None else {"auth": auth})
    return str(error.value)


def test_without_any_of_it_there_is_no_sign_in() -> None:
    assert read_sign_in({}, {}) is None
    assert read_sign_in({"CTD_DASHBOARD_TIMEOUT_SECONDS": "3", "CTD_DASHBOARD_READERS": ""}, {"other": "x"}) is None


def test_a_complete_one_is_read() -> None:
    read = read_sign_in({**DEPLOYED, **OPERATORS, "CTD_DASHBOARD_SESSION_HOURS": "8"}, {"auth": AUTH})
    assert read is not None
    assert read.operators[0].value == "operators"
    assert read.readers == ()
    assert read.session_seconds == 8 * 3600
    assert read.address == "https://dashboard.example.com"


@pytest.mark.parametrize("key", AUTH_KEYS)
@pytest.mark.parametrize("value", [None, "", 5])
def test_each_key_must_be_there(key: str, value: object) -> None:
    said = refused(OPERATORS, {**AUTH, key: value})
    assert f"the section [auth] of the secrets lacks {key}\n" in said
    assert AUTH["client_secret"] not in said
    assert AUTH["cookie_secret"] not in said


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"cookie_secret": "short"}, "cookie_secret must have at least 32 characters"),
        ({"redirect_uri": "https://a.example.com"}, "redirect_uri must end with /oauth2callback"),
        ({"redirect_uri": "http://a.example.com/oauth2callback"}, "redirect_uri must be an https address"),
        ({"server_metadata_url": "http://a.example.com"}, "server_metadata_url must be an https address"),
        ({"server_metadata_url": "http://[x"}, "server_metadata_url must be an https address"),
        ({"okta": {"client_id": "x"}}, "[auth.okta]: put the settings of the one provider into [auth] itself"),
    ],
)
def test_a_value_that_would_not_be_safe_is_named(change: dict[str, Any], problem: str) -> None:
    assert problem in refused(OPERATORS, AUTH | change)


@pytest.mark.parametrize(
    ("environ", "auth", "problem"),
    [
        ({}, AUTH, "neither CTD_DASHBOARD_OPERATORS nor CTD_DASHBOARD_READERS is set"),
        ({"CTD_DASHBOARD_READERS": ", "}, AUTH, "neither CTD_DASHBOARD_OPERATORS nor"),
        ({"CTD_DASHBOARD_READERS": "groups"}, AUTH, "CTD_DASHBOARD_READERS: 'groups' is not claim=value"),
        ({"CTD_DASHBOARD_OPERATOR": "groups=a"}, None, "unknown setting CTD_DASHBOARD_OPERATOR"),
        ({"CTD_DASHBOARD_SESSION_HOURS": "0"}, None, "dashboard_session_hours"),
        ({"CTD_DASHBOARD_READERS": "a=b", "CTD_DEPLOYMENT_BUCKET": ""}, AUTH, "missing setting CTD_DEPLOYMENT_BUCKET"),
        (OPERATORS, None, "the secrets have no section [auth] with redirect_uri, cookie_secret"),
        (OPERATORS, "x", "the secrets have no section [auth]"),
    ],
)
def test_one_part_without_the_other_opens_nothing(environ: dict[str, str], auth: object, problem: str) -> None:
    assert problem in refused(environ, auth)


def test_a_file_of_secrets_that_is_named_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = tmp_path / "secrets.toml"
    monkeypatch.setattr(st, "get_option", lambda name: [str(missing)])
    monkeypatch.setattr(config, "is_manually_set", lambda name: True)
    with pytest.raises(SignInError, match=r"secrets.toml does not exist"):
        read_secrets()
    monkeypatch.setattr(config, "is_manually_set", lambda name: False)
    assert read_secrets() == {}


def test_a_file_of_secrets_that_can_not_be_read_is_no_absence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "secrets.toml"
    broken.write_text("[auth\nclient_secret = 'do not tell'")
    # Streamlit asks for other options when it reads its own configuration, once in a process.
    config.get_config_options()
    monkeypatch.setattr(st, "get_option", lambda name: [str(broken)])
    monkeypatch.setattr(config, "get_option", lambda name: [str(broken)])
    with pytest.raises(SignInError, match="Error parsing secrets file") as error:
        read_secrets()
    assert "do not tell" not in str(error.value)
