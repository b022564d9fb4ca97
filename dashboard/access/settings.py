"""How sign-in is configured: Streamlit's secrets name the provider, CTD_DASHBOARD_* settings say who has which role.

Either part without the other is an error, never an open dashboard.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import streamlit as st
from streamlit import config

from dashboard.access.roles import Rule, RuleError, read_rules
from include.settings import PREFIX, Settings, SettingsError, read_settings

OPERATORS, READERS = f"{PREFIX}DASHBOARD_OPERATORS", f"{PREFIX}DASHBOARD_READERS"
SESSION_HOURS = f"{PREFIX}DASHBOARD_SESSION_HOURS"

AUTH_KEYS = ("redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url")
CALLBACK = "/oauth2callback"
SHORTEST_COOKIE_SECRET = 32
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class SignIn(NamedTuple):
    """A complete configuration of sign-in.

    Attributes:
        operators: the rules of which one makes a person an operator.
        readers: the rules of which one makes a person a reader.
        session_seconds: how long a session lasts at most, if the identity token does not end earlier.
        address: the dashboard's address in the browser, without a path.
    """

    operators: tuple[Rule, ...]
    readers: tuple[Rule, ...]
    session_seconds: int
    address: str


class SignInError(Exception):
    """Sign-in is configured in part or not usable; the message names each problem."""

    def __init__(self, problems: list[str]) -> None:
        listed = "\n".join(f"- {problem}" for problem in problems)
        super().__init__(f"Sign-in is not usable, so the dashboard shows nothing:\n{listed}\nSee docs/dashboard.md.")


@cache
def sign_in() -> SignIn | None:
    """Return this process's configuration of sign-in, or None if everyone may see everything.

    It is read once: a file of secrets that goes away later does not open the dashboard.

    Raises:
        SignInError: sign-in is configured in part or not usable.
    """
    return read_sign_in(os.environ, read_secrets())


def read_secrets() -> Mapping[str, object]:
    """Read Streamlit's secrets.

    Raises:
        SignInError: a file of secrets is named and missing, or can't be read.  Streamlit would ignore it, and sign-in
            with it.
    """
    paths = [Path(path) for path in st.get_option("secrets.files")]
    if config.is_manually_set("secrets.files") and (missing := [path for path in paths if not path.exists()]):
        raise SignInError([f"the file of secrets {path} does not exist" for path in missing])
    if not any(path.exists() for path in paths):
        return {}
    try:
        return st.secrets.to_dict()
    except (OSError, ValueError) as error:  # Streamlit's own error is an OSError.
        raise SignInError([str(error)]) from error


def read_sign_in(environ: Mapping[str, str], secrets: Mapping[str, object]) -> SignIn | None:
    """Return the configuration of sign-in, or None if there is no part of one.

    Raises:
        SignInError: sign-in is configured in part or not usable.
    """
    auth = secrets.get("auth")
    if auth is None and not _names_roles(environ):
        return None
    problems = list(_problems_of_auth(auth))
    settings = Settings(deployment_bucket="")
    rules: dict[str, tuple[Rule, ...]] = {OPERATORS: (), READERS: ()}
    try:
        settings = read_settings(environ)
        for name, text in ((OPERATORS, settings.dashboard_operators), (READERS, settings.dashboard_readers)):
            rules[name] = _read_rules(name, text)
        if not any(rules.values()):
            problems.append(f"neither {OPERATORS} nor {READERS} is set, so nobody would have a role")
    except (SettingsError, RuleError) as error:
        problems.append(str(error))
    if problems or not isinstance(auth, Mapping):
        raise SignInError(problems)
    # As Streamlit does.
    parts = urlsplit(auth["redirect_uri"].replace("{port}", str(st.get_option("server.port"))))
    address = f"{parts.scheme}://{parts.netloc}"
    return SignIn(rules[OPERATORS], rules[READERS], settings.dashboard_session_hours * 3600, address)


def _names_roles(environ: Mapping[str, str]) -> bool:
    """Return whether a setting of sign-in is there, or one that may be a misspelt one."""
    known = {f"{PREFIX}{field.upper()}" for field in Settings.__struct_fields__}
    own = {name for name, value in environ.items() if name.startswith(f"{PREFIX}DASHBOARD_") and value}
    return bool(own & {OPERATORS, READERS, SESSION_HOURS} or own - known)


def _problems_of_auth(auth: object) -> Iterator[str]:
    if not isinstance(auth, Mapping):
        yield f"the secrets have no section [auth] with {', '.join(AUTH_KEYS)}"
        return
    given = {key: auth.get(key) for key in AUTH_KEYS}
    missing = [key for key, value in given.items() if not isinstance(value, str) or not value.strip()]
    if missing:
        yield f"the section [auth] of the secrets lacks {', '.join(missing)}"
    if providers := [key for key, value in auth.items() if isinstance(value, Mapping) and key != "client_kwargs"]:
        yield f"[auth.{providers[0]}]: put the settings of the one provider into [auth] itself"
    for key in ("redirect_uri", "server_metadata_url"):
        if key not in missing and not _is_safe_address(str(given[key])):
            yield f"{key} must be an https address (http is for this machine only)"
    if "redirect_uri" not in missing and not str(given["redirect_uri"]).endswith(CALLBACK):
        yield f"redirect_uri must end with {CALLBACK}"
    if "cookie_secret" not in missing and len(str(given["cookie_secret"])) < SHORTEST_COOKIE_SECRET:
        yield f"cookie_secret must have at least {SHORTEST_COOKIE_SECRET} characters"


def _is_safe_address(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK))


def _read_rules(name: str, text: str) -> tuple[Rule, ...]:
    try:
        return read_rules(text)
    except RuleError as error:
        raise RuleError(f"{name}: {error}") from None
