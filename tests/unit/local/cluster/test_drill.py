"""What the drill compares with, and whom it kills."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from include import names
from include.local.cluster import cluster, drill
from include.local.cluster.engine import PROJECT
from include.local.demo import environment
from include.local.demo.__main__ import _options as demo_options
from include.local.demo.ports import Ports

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[4]
SERVICES = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"]


def test_every_service_that_stays_up_is_killed_once():
    stay_up = {name for name, service in SERVICES.items() if service["restart"] != "no"}
    assert sorted(drill.VICTIMS) == sorted(stay_up)


def test_the_first_demo_that_provisioned_is_compared_with(tmp_path):
    missing, empty, full = (tmp_path / name for name in ("missing.db", "empty.db", "full.db"))
    for database, rows in ((empty, []), (full, [("verify", 2.5), ("other", 1.0)])):
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute("CREATE TABLE task_instance (dag_id, task_id, duration, state)")
            values = [(names.dag("provision_resources"), task, seconds, "success") for task, seconds in rows]
            connection.executemany("INSERT INTO task_instance VALUES (?, ?, ?, ?)", values)
    assert drill.demo_durations((missing, empty, full), {"verify": 9.0}) == {"verify": 2.5}
    assert drill.demo_durations((missing, empty), {"verify": 9.0}) == {}


def test_the_task_that_is_not_compared_waits_for_an_interval_that_is_not_the_demos(tmp_path):
    interval = "CTD_ARCHIVE_INTERVAL_SECONDS"
    assert SERVICES["worker"]["environment"][interval] != environment.build(tmp_path, Ports())[interval]


def test_the_traffic_is_mixed_as_the_demos(monkeypatch):
    monkeypatch.setattr("sys.argv", ["demo"])
    options = demo_options()
    shares = {name: getattr(options, name) for name in ("malformed", "duplicated", "nested", "event_ids", "field")}
    assert {name: cluster.MIX[name] for name in shares} == shares
    assert cluster.MIX["late"] + cluster.MIX["out_of_order"] == options.late


def test_the_project_is_named_as_in_the_file():
    assert yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["name"] == PROJECT
