"""The dashboard's environment: what is required, what has a default, and what an error names."""

from __future__ import annotations

import pytest

from dashboard import data

pytestmark = pytest.mark.unit


def test_a_missing_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CTD_DEPLOYMENT_BUCKET")
    with pytest.raises(data.StoreUnavailableError, match="CTD_DEPLOYMENT_BUCKET"):
        data.deployment()


TIMEOUTS = ("login_timeout", "network_timeout", "socket_timeout")
COMPLETE = {"SNOWFLAKE_ACCOUNT": "acme", "SNOWFLAKE_USER": "reader", "SNOWFLAKE_PASSWORD": "secret"}


@pytest.mark.parametrize("missing", sorted(COMPLETE))
def test_each_required_connection_setting_is_named_when_missing(missing: str) -> None:
    with pytest.raises(data.StoreUnavailableError, match=missing):
        data.connection_settings({name: value for name, value in COMPLETE.items() if name != missing})


def test_a_port_that_is_no_number_is_refused() -> None:
    with pytest.raises(data.StoreUnavailableError, match="SNOWFLAKE_PORT"):
        data.connection_settings({**COMPLETE, "SNOWFLAKE_PORT": "https"})


def test_connection_defaults_to_the_projects_objects_and_has_timeouts() -> None:
    settings = data.connection_settings(COMPLETE)
    assert (settings["warehouse"], settings["database"], settings["schema"]) == (
        "TRUCK_TELEMETRY_READER_WH",
        "ECOMMERCE_DATA",
        "TRUCK_TELEMETRY",
    )
    assert [settings[name] for name in TIMEOUTS] == [5, 6, 5]
    assert "host" not in settings


@pytest.mark.parametrize(
    ("setting", "timeouts"),
    [
        ({"CTD_DASHBOARD_TIMEOUT_SECONDS": "2"}, [2, 3, 2]),
        ({"CTD_DASHBOARD_TIMEOUT_SECONDS": "soon"}, [5, 6, 5]),
        ({"CTD_UNKNOWN": "1"}, [5, 6, 5]),
    ],
)
def test_the_timeout_is_a_setting(setting: dict[str, str], timeouts: list[int]) -> None:
    settings = data.connection_settings({**COMPLETE, "CTD_DEPLOYMENT_BUCKET": "b", **setting})
    assert [settings[name] for name in TIMEOUTS] == timeouts


def test_a_key_file_replaces_the_password() -> None:
    settings = data.connection_settings({**COMPLETE, "SNOWFLAKE_PRIVATE_KEY_FILE": "/keys/reader.p8"})
    assert settings["private_key_file"] == "/keys/reader.p8"
    assert "password" not in settings


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ({"CTD_AIRFLOW_URL": "https://airflow.example/base/"}, "https://airflow.example/base"),
        ({}, ""),
        # Another setting can't be used: the page reports it where it needs a setting.
        ({"CTD_AIRFLOW_URL": "https://airflow.example", "CTD_CLICK_SHARDS": "many"}, ""),
    ],
)
def test_the_address_of_airflow(given: dict[str, str], address: str) -> None:
    assert data.airflow_url({"CTD_DEPLOYMENT_BUCKET": "b", **given}) == address
