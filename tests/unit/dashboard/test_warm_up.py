"""The server's start: imports and connections, with and without stores."""

from __future__ import annotations

from typing import Any

import pytest
from snowflake.connector.errors import OperationalError

from dashboard import data, warm_up
from dashboard.data import dynamodb, s3
from tests.unit.dashboard.pages import raising

pytestmark = pytest.mark.unit


class Connection:
    """One that a statement would break."""


def test_every_module_but_a_script_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    imported: list[str] = []
    monkeypatch.setattr(warm_up, "import_module", imported.append)
    warm_up.import_modules()
    assert {"altair", "dashboard.maps", "dashboard.data.snowflake_connection"} <= set(imported)
    # A script would draw a page where there is none.
    assert not any(name.startswith(("dashboard.navigation", "dashboard.app")) for name in imported)


def test_connecting_sends_snowflake_no_statement(aws: Any, now: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snowflake.connector.connect", lambda **_: Connection())
    assert data.connect() == []


def test_a_store_that_is_down_is_named_in_the_log(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    def refuse(**_: Any) -> Any:
        raise OperationalError("Connection refused")

    down = data.StoreUnavailableError("S3 telemetry bucket", "is unreachable", "Check that it is running.")
    monkeypatch.setattr("snowflake.connector.connect", refuse)
    monkeypatch.setattr(dynamodb, "items", dict)
    monkeypatch.setattr(s3, "newest_landing", raising(down))
    monkeypatch.setattr(data, "period_sums", lambda *_: None)
    minutes: list[int] = []
    monkeypatch.setattr(data, "clicks", minutes.append)
    warm_up.connect()
    assert minutes == [15]
    assert [record.args[0].store for record in caplog.records] == ["S3 telemetry bucket", "Snowflake"]
