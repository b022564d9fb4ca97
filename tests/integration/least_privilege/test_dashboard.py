"""The dashboard's identity: each of its queries works, and each action that it is granted is used."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
import streamlit as st

from dashboard import data
from dashboard.data import aws
from include import names
from tests.integration.least_privilege.calls import BUCKET

pytestmark = pytest.mark.integration

RECORD = f"{names.QUARANTINE_PREFIX}{names.CLICK_STREAM}/2026/11/22/14/record.json"
# What IAM calls an operation, where it is another word.
ACTIONS = {"s3:ListObjectsV2": "s3:ListBucket"}


@pytest.fixture
def made(account: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """The actions of the calls that the dashboard makes as its identity."""
    credentials = account.identities("dashboard")
    environment = account.server.environment | {
        "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
        "AWS_SESSION_TOKEN": credentials["SessionToken"],
        "CTD_DEPLOYMENT_BUCKET": "deployment",
        "CTD_TELEMETRY_BUCKET": BUCKET,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    actions: set[str] = set()

    class Session(boto3.Session):
        def client(self, service: str, **options: Any) -> Any:
            made = super().client(service, **options)

            def note(model: Any, **_: Any) -> None:
                action = f"{service}:{model.name}"
                actions.add(ACTIONS.get(action, action))

            made.meta.events.register("before-call", note)
            return made

    monkeypatch.setattr(aws.boto3, "Session", Session)
    st.cache_data.clear()
    st.cache_resource.clear()
    yield actions
    st.cache_data.clear()
    st.cache_resource.clear()


def test_every_query_works_and_every_granted_action_is_used(
    account: Any, made: set[str], identity_policies: dict[str, set[str]]
) -> None:
    # The session that makes the account's clients may be the noted one.
    account.client("s3").put_object(Bucket=BUCKET, Key=RECORD, Body=b"{}")
    account.client("dynamodb").put_item(
        TableName=names.CLICK_ITEM_TABLE, Item={"Item_ID": {"S": "MOB001"}, "Item_Name": {"S": "Mobile"}}
    )
    made.clear()
    data.items()
    data.clicks(5)
    data.item_hours("MOB001", data.now() - timedelta(hours=1), data.now())
    data.newest_click()
    data.truck_states()
    data.newest_landing()
    data.quarantine(1)
    assert data.quarantine_object(RECORD) is not None
    data.stream_lags(5)
    data.stream_mappings()
    assert made == identity_policies["DashboardRole"]
