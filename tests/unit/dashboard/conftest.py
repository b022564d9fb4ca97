"""The dashboard's stores in memory, and its clock and caches under control."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from types import SimpleNamespace
from typing import Any

import boto3
import pandas as pd
import pytest
import streamlit as st
from moto import mock_aws
from streamlit.components.v2 import manifest_scanner

from dashboard import data, fleet_states
from dashboard.access import sign_in
from dashboard.data import clock, quarantined
from include import names
from tests.unit.dashboard.pages import reading, typed

# As dashboard/.streamlit/config.toml has it, and which packages have components is looked up once: of each AppTest, a
# quarter of the time.
st.config.set_option("runner.magicEnabled", False)
manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)

NOW = datetime(2026, 11, 22, 14, 30, 20, tzinfo=UTC)
BUCKET = "telemetry-for-tests"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment's settings; nothing of the developer's own."""
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    values = {
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "CTD_DEPLOYMENT_BUCKET": "deployment",
        "CTD_TELEMETRY_BUCKET": BUCKET,
        "CTD_CLICK_INDEX_SHARDS": "2",
        "SNOWFLAKE_ACCOUNT": "local",
        "SNOWFLAKE_USER": "pipeline",
        "SNOWFLAKE_PASSWORD": "local",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(autouse=True)
def fresh_caches() -> Iterator[None]:
    """No test sees another's answers."""
    st.cache_data.clear()
    st.cache_resource.clear()
    quarantined._contents.cache_clear()
    sign_in.cache_clear()
    yield
    sign_in.cache_clear()
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture
def stop_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Stops the dashboard's clock at an instant."""

    def stop(instant: datetime) -> None:
        monkeypatch.setattr(clock, "datetime", SimpleNamespace(now=lambda zone: instant.astimezone(zone)))

    return stop


@pytest.fixture
def now(stop_clock: Callable[[datetime], None]) -> datetime:
    """The instant at which the dashboard's clock is stopped."""
    stop_clock(NOW)
    return NOW


@pytest.fixture
def aws() -> Iterator[Any]:
    """DynamoDB and S3 with the pipeline's tables and bucket, empty."""
    with mock_aws():
        dynamodb, s3 = boto3.client("dynamodb"), boto3.client("s3")
        tables = {
            names.CLICK_ITEM_TABLE: ["Item_ID"],
            names.TRUCK_STATE_TABLE: ["Truck_ID"],
            names.CLICK_TABLE: ["Timestamp", "Item_ID"],
        }
        for table, keys in tables.items():
            index = [
                {
                    "IndexName": names.CLICK_INDEX,
                    "KeySchema": [
                        {"AttributeName": "Item_Hour_Shard", "KeyType": "HASH"},
                        {"AttributeName": "Timestamp", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ]
            clicks = table == names.CLICK_TABLE
            dynamodb.create_table(
                TableName=table,
                KeySchema=[
                    {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
                ],
                AttributeDefinitions=[
                    {"AttributeName": key, "AttributeType": "S"}
                    for key in (*keys, *(["Item_Hour_Shard"] if clicks else []))
                ],
                BillingMode="PAY_PER_REQUEST",
                **({"GlobalSecondaryIndexes": index} if clicks else {}),
            )
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield {"dynamodb": dynamodb, "s3": s3, "bucket": BUCKET}


@pytest.fixture
def empty_stores(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    """Every store answers, with nothing in it; a test replaces what it is about."""
    clicks = pd.DataFrame(columns=["time", "item_id", "item_name", "clicks", "delay"])
    states = typed([reading("x", now)]).head(0)
    versions = states.assign(load_timestamp=[], effective_start_date=[], effective_end_date=[], is_current=[])
    tables = ["TRUCK_TELEMETRY_RAW", "TRUCK_TELEMETRY_DATA"]
    answers = {
        "clicks": data.ClickWindow(clicks, None, 0),
        "newest_click": None,
        "items": {},
        "period_sums": data.PeriodSums(
            items=pd.DataFrame(columns=["item_id", "item_name", "clicks", "events", "clicks_before"], dtype="object"),
            over_time=pd.DataFrame(columns=["start", "end", "item_id", "clicks"], dtype="object"),
            not_read=0,
            reads_left=0,
            items_left_out=0,
            read_at=None,
            calls=0,
            rows=0,
        ),
        "truck_states": states,
        "tracks": pd.DataFrame(columns=list(fleet_states.TRACK_COLUMNS)),
        "current_rows": versions,
        "truck_ids": [],
        "track_of_day": pd.DataFrame(columns=["last_time", "gps_latitude", "gps_longitude", "speed", "kind"]),
        "attention_since": pd.DataFrame(columns=["truck_id", "metric", "since", "is_longer"]),
        "trends": pd.DataFrame(columns=["truck_id", "metric_name", "verdict"]),
        "open_findings": pd.DataFrame(columns=["rule", "truck_id", "detail"]),
        "fleet_register": data.NO_REGISTER,
        "newest_landing": None,
        "quarantine_size": data.QuarantineSize(0, is_cut=False),
        "table_freshness": pd.DataFrame({"table_name": tables, "table_rows": 0, "newest": [pd.NaT, pd.NaT]}),
        "stream_lags": pd.DataFrame(columns=["stream", "kind", "minute", "seconds"]),
        "stream_mappings": [],
        "pipe_status": data.PipeStatus("RUNNING", 0, None, None, None, ""),
        "delays": pd.DataFrame(columns=["slice_start"]),
        "merge_runs": pd.DataFrame(columns=["started_at"]),
        "alerts": pd.DataFrame(
            {
                **dict.fromkeys(("stored_at", "sent_at"), pd.Series(dtype="datetime64[us, UTC]")),
                **dict.fromkeys(("state", "severity", "headline", "message", "sent_to"), pd.Series(dtype="object")),
            }
        ),
        "quality_results": pd.DataFrame(columns=["rule"]),
        "quality_history": pd.DataFrame(columns=["rule", "severity", "status", "failed_count", "checked_at", "run_id"]),
        "rule_results": pd.DataFrame(columns=["run_id"]),
        "ledger": pd.DataFrame(columns=["stream_name"]),
        "load_history": pd.DataFrame(columns=["file_name"]),
        "quarantine": data.QuarantineCounts(pd.DataFrame(columns=["stream", "hour", "reason", "records"]), 0, 0),
    }
    answers["quarantine_object"] = None
    for name, answer in answers.items():
        monkeypatch.setattr(data, name, lambda *_, answer=answer: answer)
