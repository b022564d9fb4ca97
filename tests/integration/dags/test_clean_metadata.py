"""clean_metadata on a real metadata database: old rows go, young ones and every watcher's trigger stay."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from datetime import timedelta

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowSkipException
from clicks_to_deliveries.operators.clean_metadata import BLOCKED, CleanMetadataOperator
from sqlalchemy import make_url

pytestmark = pytest.mark.integration

OLD, YOUNG = "2020-01-01 00:00:00", "2099-01-01 00:00:00"
CONNECTION = "AIRFLOW_CONN_AIRFLOW_METADATA"


@pytest.fixture
def rows(airflow_database: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[sqlite3.Connection]:
    """Old and young rows in the tests' database; a task finds its address blocked, as Airflow has it."""
    address = os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    monkeypatch.setenv(CONNECTION, json.dumps({"conn_type": "generic", "extra": {"sql_alchemy_conn": address}}))
    for name in BLOCKED:
        monkeypatch.setenv(name, "airflow-db-not-allowed:///")
    with sqlite3.connect(str(make_url(address).database), timeout=60) as database:
        for when in (OLD, YOUNG):
            database.execute("insert into log (dttm, event) values (?, 'of clean_metadata')", (when,))
            database.execute("insert into asset_event (asset_id, extra, timestamp) values (-7, '{}', ?)", (when,))
        database.execute(
            "insert into trigger (classpath, kwargs, created_date) values ('of clean_metadata', '{}', ?)", (OLD,)
        )
        database.commit()
        yield database
        database.execute("delete from log where event = 'of clean_metadata'")
        database.execute("delete from asset_event where asset_id = -7")
        database.execute("delete from trigger where classpath = 'of clean_metadata'")


def test_old_rows_go_and_the_triggers_of_watchers_stay(rows: sqlite3.Connection) -> None:
    deleted = CleanMetadataOperator(task_id="clean", keep=timedelta(days=30)).execute({})
    assert deleted["log"] >= 1
    assert deleted["asset_event"] >= 1
    assert rows.execute("select dttm from log where event = 'of clean_metadata'").fetchall() == [(YOUNG,)]
    assert rows.execute("select timestamp from asset_event where asset_id = -7").fetchall() == [(YOUNG,)]
    assert rows.execute("select count(*) from trigger where classpath = 'of clean_metadata'").fetchone() == (1,)


def test_without_the_connection_nothing_is_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CONNECTION, raising=False)
    with pytest.raises(AirflowSkipException, match="airflow_metadata"):
        CleanMetadataOperator(task_id="clean", keep=timedelta(days=30)).execute({})


@pytest.mark.parametrize(
    ("extra", "message"),
    [({}, "no sql_alchemy_conn"), ({"sql_alchemy_conn": "sqlite:////nowhere/at/all.db"}, "airflow db clean failed")],
    ids=["no address", "no database"],
)
def test_what_is_wrong_is_said(monkeypatch: pytest.MonkeyPatch, extra: dict[str, str], message: str) -> None:
    monkeypatch.setenv(CONNECTION, json.dumps({"conn_type": "generic", "extra": extra}))
    with pytest.raises(AirflowException, match=message):
        CleanMetadataOperator(task_id="clean", keep=timedelta(days=30)).execute({})
