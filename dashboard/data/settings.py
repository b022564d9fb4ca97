"""What the dashboard reads from its environment: the deployment's settings and Snowflake's connection."""

from __future__ import annotations

import os
from collections.abc import Mapping

from dashboard.data.stores import SETTINGS, SNOWFLAKE_STORE, StoreUnavailableError
from include import names
from include.settings import Settings, SettingsError, read_settings


def deployment() -> Settings:
    """Read the CTD_* settings.

    Raises:
        StoreUnavailableError: a setting is missing or invalid.
    """
    try:
        return read_settings(os.environ)
    except SettingsError as error:
        raise StoreUnavailableError(
            SETTINGS, "can't be used", "Start the dashboard with the same CTD_* variables as Airflow.", str(error)
        ) from None


def store_timeout(environ: Mapping[str, str]) -> int:
    """Return how many seconds a store has for an answer.

    A setting that can't be used is reported where a setting is needed; the other stores are asked as by default.
    """
    try:
        return read_settings(environ).dashboard_timeout_seconds
    except SettingsError:
        return Settings(deployment_bucket="").dashboard_timeout_seconds


def airflow_url(environ: Mapping[str, str]) -> str:
    """Return the address of Airflow's web pages without a slash at its end, or "" if no setting gives it.

    A setting that can't be used is reported where a setting is needed; until then there are no links.
    """
    try:
        return read_settings(environ).airflow_url.rstrip("/")
    except SettingsError:
        return ""


def connection_settings(environ: Mapping[str, str]) -> dict[str, str | int]:
    """Return the connector's arguments from SNOWFLAKE_* variables.

    SNOWFLAKE_ACCOUNT, SNOWFLAKE_USER and either SNOWFLAKE_PASSWORD or SNOWFLAKE_PRIVATE_KEY_FILE are required.
    SNOWFLAKE_WAREHOUSE, SNOWFLAKE_DATABASE and SNOWFLAKE_SCHEMA default to the project's.  SNOWFLAKE_HOST,
    SNOWFLAKE_PORT and SNOWFLAKE_ROLE are optional.

    Raises:
        StoreUnavailableError: a required variable is missing, or the port is not a number.
    """
    for name in ("SNOWFLAKE_ACCOUNT", "SNOWFLAKE_USER"):
        if not environ.get(name):
            raise _not_configured(f"{name} is not set", "Set it in the dashboard's environment.")
    timeout = store_timeout(environ)
    arguments: dict[str, str | int] = {
        "account": environ["SNOWFLAKE_ACCOUNT"],
        "user": environ["SNOWFLAKE_USER"],
        "warehouse": environ.get("SNOWFLAKE_WAREHOUSE") or names.READER_WAREHOUSE,
        "database": environ.get("SNOWFLAKE_DATABASE") or names.DATABASE,
        "schema": environ.get("SNOWFLAKE_SCHEMA") or names.SCHEMA,
        "login_timeout": timeout,
        "network_timeout": timeout + 1,
        "socket_timeout": timeout,
    }
    if key_file := environ.get("SNOWFLAKE_PRIVATE_KEY_FILE"):
        arguments |= {"private_key_file": key_file, "authenticator": "SNOWFLAKE_JWT"}
    elif password := environ.get("SNOWFLAKE_PASSWORD"):
        arguments["password"] = password
    else:
        raise _not_configured(
            "neither SNOWFLAKE_PASSWORD nor SNOWFLAKE_PRIVATE_KEY_FILE is set",
            "Set one of them in the dashboard's environment.",
        )
    if host := environ.get("SNOWFLAKE_HOST"):
        arguments["host"] = host
    if role := environ.get("SNOWFLAKE_ROLE"):
        arguments["role"] = role
    if port := environ.get("SNOWFLAKE_PORT"):
        if not port.isdigit():
            raise _not_configured("SNOWFLAKE_PORT is not a number", "Set it to a port number.", port)
        arguments["port"] = int(port)
    return arguments


def _not_configured(problem: str, check: str, said: str = "") -> StoreUnavailableError:
    return StoreUnavailableError(SNOWFLAKE_STORE, f"is not configured: {problem}", check, said)
