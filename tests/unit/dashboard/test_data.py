"""data.py: what it asks of the stores, what it makes of their answers, and what it says when they give none."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from snowflake.connector.errors import DatabaseError, OperationalError, ProgrammingError

from dashboard import data
from include import names
from include.contracts.times import to_canonical

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]


def put_click(aws: Any, item: str, when: datetime, count: int = 1, shard: int = 0) -> None:
    text = to_canonical(when)
    aws["dynamodb"].put_item(
        TableName=names.CLICK_TABLE,
        Item={
            "Timestamp": {"S": text},
            "Item_ID": {"S": item},
            "Click_Counts": {"N": str(count)},
            "Item_Hour_Shard": {"S": f"{item}#{text[:13]}#{shard}"},
            "Arrival_Time": {"S": text},
            "Ingested_At": {"S": to_canonical(when + timedelta(seconds=1.5))},
        },
    )
    aws["dynamodb"].put_item(
        TableName=names.CLICK_ITEM_TABLE, Item={"Item_ID": {"S": item}, "Item_Name": {"S": f"Name of {item}"}}
    )


# --- Clicks ----------------------------------------------------------------------------------------------------------
def test_clicks_of_all_items_hours_and_shards_newest_first(aws: Any, now: datetime) -> None:
    put_click(aws, "MOB001", now - timedelta(seconds=5), 3, shard=1)
    put_click(aws, "LAP002", now - timedelta(minutes=40), 2)  # The hour before.
    put_click(aws, "MOB001", now - timedelta(minutes=10), 4)
    answer = data.clicks(60)
    assert list(answer.frame["clicks"]) == [3, 4, 2]
    assert list(answer.frame["item_id"]) == ["MOB001", "MOB001", "LAP002"]
    assert answer.frame["item_name"].iloc[2] == "Name of LAP002"
    assert answer.frame["time"].iloc[0] == now - timedelta(seconds=5)
    assert list(answer.frame["delay"]) == [1.5, 1.5, 1.5]
    assert answer.complete_since is None
    assert answer.items_left_out == 0


def test_a_click_before_the_window_is_not_counted(aws: Any, now: datetime) -> None:
    put_click(aws, "MOB001", now - timedelta(minutes=6))
    assert data.clicks(5).frame.empty
    assert len(data.clicks(15).frame) == 1


def test_no_click_is_counted_twice_where_recent_and_older_meet(aws: Any, now: datetime) -> None:
    edge = now.replace(second=0) - data.RECENT
    for offset in (-1, 0, 1):
        put_click(aws, "MOB001", edge + timedelta(microseconds=offset))
    assert len(data.clicks(5).frame) == 3


def test_a_click_of_a_fast_clock_in_the_next_hour_is_seen(
    aws: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = now.replace(minute=58)
    monkeypatch.setattr(data, "now", lambda: late)
    put_click(aws, "MOB001", late + timedelta(minutes=5))
    assert len(data.clicks(5).frame) == 1


def test_more_clicks_than_the_limit_say_since_when_they_are_complete(
    aws: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "MAX_CLICKS", 2)
    for minute in (5, 6, 7):
        put_click(aws, "MOB001", now - timedelta(minutes=minute), minute)
    answer = data.clicks(15)
    assert list(answer.frame["clicks"]) == [5, 6]
    assert answer.complete_since == now - timedelta(minutes=6)


def test_items_beyond_the_limit_are_reported(aws: Any, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "MAX_ITEMS", 1)
    put_click(aws, "A", now)
    put_click(aws, "B", now)
    answer = data.clicks(5)
    assert list(answer.frame["item_id"]) == ["A"]
    assert answer.items_left_out == 1


def test_no_clicks_give_an_empty_frame_with_its_columns(aws: Any, now: datetime) -> None:
    answer = data.clicks(15)
    assert answer.frame.empty
    assert list(answer.frame.columns) == ["time", "item_id", "item_name", "clicks", "delay"]
    assert data.newest_click() is None


def test_the_click_table_itself_is_never_scanned(aws: Any, now: datetime) -> None:
    put_click(aws, "MOB001", now)
    asked = []
    data._client("dynamodb").meta.events.register(
        "before-parameter-build.dynamodb", lambda params, model, **_: asked.append((model.name, params["TableName"]))
    )
    data.clicks(60)
    data.newest_click()
    assert {table for operation, table in asked if operation == "Scan"} == {names.CLICK_ITEM_TABLE}
    assert ("Query", names.CLICK_TABLE) in asked


def test_newest_click_reaches_beyond_the_window(aws: Any, now: datetime) -> None:
    put_click(aws, "MOB001", now - timedelta(hours=5))
    put_click(aws, "LAP002", now - timedelta(hours=6))
    assert data.newest_click() == now - timedelta(hours=5)


# --- Trucks in DynamoDB ----------------------------------------------------------------------------------------------
def test_truck_states_have_numbers_text_and_gaps(aws: Any) -> None:
    aws["dynamodb"].put_item(
        TableName=names.TRUCK_STATE_TABLE,
        Item={
            "Truck_ID": {"S": "TRK001"},
            "Event_Time": {"S": "2026-11-22T14:30:00.250000"},
            "Arrival_Time": {"S": "2026-11-22T14:30:01.000000"},
            "vehicle_speed": {"N": "51.5"},
            "brake_status": {"S": "Good"},
        },
    )
    row = data.truck_states().iloc[0]
    assert row["vehicle_speed"] == 51.5
    assert row["brake_status"] == "Good"
    assert pd.isna(row["fuel_level"])
    assert row["event_time"] == pd.Timestamp("2026-11-22T14:30:00.25Z")


def test_no_truck_states_keep_columns_and_types(aws: Any) -> None:
    frame = data.truck_states()
    assert frame.empty
    assert str(frame["vehicle_speed"].dtype) == "float64"
    assert {"truck_id", "event_time", *data.METRIC_NAMES} <= set(frame.columns)


# --- S3 --------------------------------------------------------------------------------------------------------------
def put_quarantined(aws: Any, stream: str, hour: str, sequence: int, reason: str) -> None:
    aws["s3"].put_object(
        Bucket=aws["bucket"],
        Key=f"quarantine/{stream}/{hour}/shardId-0-{sequence}.json",
        Body=json.dumps({"reason": reason}).encode(),
    )


def test_quarantine_counts_by_stream_hour_and_reason(aws: Any, now: datetime) -> None:
    put_quarantined(aws, names.CLICK_STREAM, "2026/11/22/14", 1, "not_json")
    put_quarantined(aws, names.CLICK_STREAM, "2026/11/22/14", 2, "not_json")
    put_quarantined(aws, names.TRUCK_STREAM, "2026/11/22/13", 3, "missing")
    put_quarantined(aws, names.TRUCK_STREAM, "2026/11/22/10", 4, "missing")  # Before the hours asked for.
    answer = data.quarantine(2)
    assert (answer.listed, answer.unread) == (3, 0)
    assert answer.frame.to_dict("records") == [
        {"stream": "ClickDataStream", "hour": pd.Timestamp("2026-11-22T14Z"), "reason": "not_json", "records": 2},
        {"stream": "TruckTelemetry", "hour": pd.Timestamp("2026-11-22T13Z"), "reason": "missing", "records": 1},
    ]


def test_quarantine_reads_no_more_objects_than_its_limit_and_says_so(
    aws: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "MAX_QUARANTINE_READS", 2)
    for sequence in range(5):
        put_quarantined(aws, names.CLICK_STREAM, "2026/11/22/14", sequence, "not_json")
    answer = data.quarantine(1)
    assert (answer.listed, answer.unread) == (5, 3)
    assert dict(zip(answer.frame["reason"], answer.frame["records"], strict=True)) == {"not read": 3, "not_json": 2}


def test_nothing_quarantined_is_an_empty_frame(aws: Any, now: datetime) -> None:
    answer = data.quarantine(24)
    assert answer.listed == 0
    assert list(answer.frame.columns) == ["stream", "hour", "reason", "records"]


def test_newest_landing_object(aws: Any, now: datetime) -> None:
    assert data.newest_landing() == (None, 0)
    data.newest_landing.clear()
    aws["s3"].put_object(Bucket=aws["bucket"], Key="telemetry-data/2026/11/22/13/shardId-0-1-1-x.json.gz", Body=b"")
    written, count = data.newest_landing()
    assert count == 1
    assert written is not None
    assert abs((written - datetime.now(UTC)).total_seconds()) < 60


# --- Stores that can't answer ----------------------------------------------------------------------------------------
def test_a_table_that_does_not_exist_says_to_provision(aws: Any) -> None:
    aws["dynamodb"].delete_table(TableName=names.TRUCK_STATE_TABLE)
    with pytest.raises(data.StoreError) as caught:
        data.truck_states()
    assert caught.value.store == data.STATE_STORE
    assert "does not exist" in caught.value.problem
    assert "provision_resources" in caught.value.check


def test_an_unreachable_aws_is_named_with_what_to_check() -> None:
    with pytest.raises(data.StoreError) as caught, data._aws(data.CLICK_STORE):
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
    assert caught.value.store == data.CLICK_STORE
    assert caught.value.problem == "is unreachable"
    assert "AWS_ENDPOINT_URL" in caught.value.check


def test_a_refusal_points_at_permissions() -> None:
    with pytest.raises(data.StoreError) as caught, data._aws(data.BUCKET_STORE):
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "ListObjectsV2")
    assert "AccessDenied" in caught.value.problem
    assert "permissions" in caught.value.check


def test_a_missing_region_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(data.StoreError, match="region") as caught:
        data.truck_states()
    assert "AWS_DEFAULT_REGION" in caught.value.check


def test_a_missing_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CTD_DEPLOYMENT_BUCKET")
    with pytest.raises(data.StoreError, match="CTD_DEPLOYMENT_BUCKET"):
        data.deployment()


# --- Snowflake: settings ---------------------------------------------------------------------------------------------
COMPLETE = {"SNOWFLAKE_ACCOUNT": "acme", "SNOWFLAKE_USER": "reader", "SNOWFLAKE_PASSWORD": "secret"}


@pytest.mark.parametrize("missing", sorted(COMPLETE))
def test_each_required_connection_setting_is_named_when_missing(missing: str) -> None:
    with pytest.raises(data.StoreError, match=missing):
        data.connection_settings({name: value for name, value in COMPLETE.items() if name != missing})


def test_a_port_that_is_no_number_is_refused() -> None:
    with pytest.raises(data.StoreError, match="SNOWFLAKE_PORT"):
        data.connection_settings({**COMPLETE, "SNOWFLAKE_PORT": "https"})


def test_connection_defaults_to_the_projects_objects_and_has_timeouts() -> None:
    settings = data.connection_settings(COMPLETE)
    assert (settings["warehouse"], settings["database"], settings["schema"]) == (
        "TRUCK_TELEMETRY_WH",
        "ECOMMERCE_DATA",
        "TRUCK_TELEMETRY",
    )
    assert all(settings[name] > 0 for name in ("login_timeout", "network_timeout", "socket_timeout"))
    assert "host" not in settings


def test_a_key_file_replaces_the_password() -> None:
    settings = data.connection_settings({**COMPLETE, "SNOWFLAKE_PRIVATE_KEY_FILE": "/keys/reader.p8"})
    assert settings["private_key_file"] == "/keys/reader.p8"
    assert "password" not in settings


# --- Snowflake: queries ----------------------------------------------------------------------------------------------
class Column:
    def __init__(self, name: str) -> None:
        self.name = name


class Connection:
    """A connector's connection whose statements answer, or raise, what the test says."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.statements: list[tuple[str, dict[str, Any]]] = []

    def cursor(self) -> Connection:
        return self

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def execute(self, statement: str, values: dict[str, Any], timeout: int) -> None:
        assert timeout > 0
        self.statements.append((statement, values))
        self.answer = self.answers.pop(0)
        if isinstance(self.answer, Exception):
            raise self.answer

    @property
    def description(self) -> list[Column]:
        return [Column(name) for name in self.answer[0]]

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self.answer[1]


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What snowflake.connector.connect gives, one after the other."""
    given: list[Any] = []

    def connect(**_: Any) -> Any:
        one = given.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    monkeypatch.setattr("snowflake.connector.connect", connect)
    return given


RUNS = (["RUN_ID", "STARTED_AT"], [("r", datetime(2026, 11, 22, 14, 0))])  # noqa: DTZ001  As the connector gives NTZ.


def test_values_are_bound_and_times_come_back_as_utc(connections: list[Any]) -> None:
    connections.append(connection := Connection(RUNS))
    frame = data.merge_runs(7)
    statement, values = connection.statements[0]
    assert values == {"limit": 7}
    assert "%(limit)s" in statement
    assert frame["started_at"].iloc[0] == pd.Timestamp("2026-11-22T14:00Z")


def test_as_of_binds_truck_and_canonical_instant(connections: list[Any]) -> None:
    connections.append(connection := Connection((["TRUCK_ID"], [])))
    assert data.as_of("TRK001'; drop table x", datetime(2026, 11, 22, 14, tzinfo=UTC)).empty
    statement, values = connection.statements[0]
    assert values == {"truck_id": "TRK001'; drop table x", "instant": "2026-11-22T14:00:00.000000"}
    assert "TRK001" not in statement


def test_tracks_have_as_many_slices_whatever_the_window(connections: list[Any]) -> None:
    connections.append(connection := Connection((["TRUCK_ID"], []), (["TRUCK_ID"], [])))
    data.tracks(5)
    data.tracks(1440)
    assert [values["slice_seconds"] for _, values in connection.statements] == [1, 360]


def test_an_empty_answer_keeps_its_types(connections: list[Any]) -> None:
    connections.append(Connection((["TRUCK_ID", "EFFECTIVE_START_DATE", "VEHICLE_SPEED"], [])))
    frame = data.current_rows()
    assert str(frame["vehicle_speed"].dtype) == "float64"
    assert isinstance(frame["effective_start_date"].dtype, pd.DatetimeTZDtype)


def test_one_connection_serves_many_queries(connections: list[Any]) -> None:
    connections.append(Connection(RUNS, (["RULE"], [])))
    data.merge_runs()
    data.quality_results()
    assert connections == []


def test_a_connection_that_broke_is_replaced_once(connections: list[Any]) -> None:
    connections += [Connection(RUNS, OperationalError("gone")), Connection((["RULE"], [("r",)]))]
    data.merge_runs()
    assert list(data.quality_results()["rule"]) == ["r"]


def test_an_expired_session_is_renewed_once(connections: list[Any]) -> None:
    expired = ProgrammingError("Authentication token has expired", errno=390114)
    connections += [Connection(RUNS, expired), Connection((["RULE"], [("r",)]))]
    data.merge_runs()
    assert len(data.quality_results()) == 1


def test_an_unreachable_warehouse_is_asked_once_and_then_remembered_for_a_while(
    connections: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    connections.append(OperationalError("Connection refused"))
    for query in (data.merge_runs, data.quality_results, data.current_rows):
        with pytest.raises(data.StoreError) as caught:
            query()
        assert caught.value.store == "Snowflake"
        assert caught.value.problem == "is unreachable"
    connections.append(Connection(RUNS))
    later = data.time.monotonic() + data.FAILURE_MEMORY_SECONDS + 1
    monkeypatch.setattr(data.time, "monotonic", lambda: later)
    assert len(data.merge_runs()) == 1


def test_a_missing_table_says_to_provision_and_keeps_the_connection(connections: list[Any]) -> None:
    missing = ProgrammingError("Object 'HISTORY_MERGE_RUNS' does not exist or not authorized.", errno=2003)
    connections.append(Connection(missing, (["RULE"], [("r",)])))
    with pytest.raises(data.StoreError) as caught:
        data.merge_runs()
    assert "HISTORY_MERGE_RUNS" in caught.value.problem
    assert "provision_resources" in caught.value.check
    assert len(data.quality_results()) == 1


def test_a_login_that_is_refused_names_the_warehouse(connections: list[Any]) -> None:
    connections.append(DatabaseError("Incorrect username or password was specified.", errno=390100))
    with pytest.raises(data.StoreError, match="Snowflake") as caught:
        data.merge_runs()
    assert "Incorrect username" in caught.value.check


def test_every_statement_of_the_dashboard_is_read_only_and_used() -> None:
    source = (ROOT / "dashboard/data.py").read_text()
    for path in sorted((ROOT / "sql/dashboard").glob("*.sql")):
        text = re.sub(r"--.*", "", path.read_text())
        assert not re.search(r"\b(insert|update|delete|merge|create|drop|alter)\b", text, re.IGNORECASE), path
        assert f'"{path.name}"' in source, f"{path.name} is used by nobody"


def test_no_other_module_of_the_dashboard_talks_to_a_store() -> None:
    for path in (ROOT / "dashboard").rglob("*.py"):
        if path.name != "data.py":
            assert not re.search(r"^\s*(import|from) (boto3|botocore|snowflake)", path.read_text(), re.MULTILINE), path
