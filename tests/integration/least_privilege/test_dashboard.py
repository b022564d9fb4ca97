"""The dashboard's policy: each of its queries works with it, and each action that it grants is used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
import streamlit as st
from botocore.exceptions import ClientError

from dashboard import data
from dashboard.data import aws
from include import names

pytestmark = pytest.mark.integration

BUCKET = "telemetry-of-this-test"
POLICY = Path(__file__).parents[3] / "dashboard/aws_policy.json"
RECORD = f"{names.QUARANTINE_PREFIX}{names.CLICK_STREAM}/2026/11/22/14/record.json"
# What IAM calls an operation, where it is another word.
ACTIONS = {"s3:ListObjectsV2": "s3:ListBucket"}
DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError"}


@pytest.fixture(scope="module")
def credentials(account: Any) -> dict[str, str]:
    """Those of a user who has the dashboard's policy, and nothing else."""
    iam = account.client("iam")
    iam.create_user(UserName="dashboard")
    policy = POLICY.read_text().replace("kinesis-telemetry-data-bucket", BUCKET)
    iam.put_user_policy(UserName="dashboard", PolicyName="read", PolicyDocument=policy)
    return iam.create_access_key(UserName="dashboard")["AccessKey"]


@pytest.fixture
def made(account: Any, credentials: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """The actions of the calls that the dashboard makes as that user."""
    environment = account.server.environment | {
        "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
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


def test_every_query_works_and_every_granted_action_is_used(account: Any, made: set[str]) -> None:
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
    statements = json.loads(POLICY.read_text())["Statement"]
    granted = {
        action
        for each in statements
        for action in ([each["Action"]] if isinstance(each["Action"], str) else each["Action"])
    }
    assert made == granted


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("dynamodb", "scan", {"TableName": names.CLICK_TABLE}),
        ("dynamodb", "put_item", {"TableName": names.CLICK_ITEM_TABLE, "Item": {"Item_ID": {"S": "X"}}}),
        ("dynamodb", "delete_item", {"TableName": names.TRUCK_STATE_TABLE, "Key": {"Truck_ID": {"S": "X"}}}),
        ("s3", "get_object", {"Bucket": BUCKET, "Key": f"{names.ARCHIVE_PREFIX}x.gz"}),
        ("s3", "put_object", {"Bucket": BUCKET, "Key": RECORD, "Body": b"x"}),
        ("s3", "delete_object", {"Bucket": BUCKET, "Key": RECORD}),
        ("lambda", "invoke", {"FunctionName": names.CLICK_FUNCTION, "Payload": b"{}"}),
        ("kinesis", "put_record", {"StreamName": names.CLICK_STREAM, "Data": b"x", "PartitionKey": "x"}),
    ],
)
def test_it_can_not_do_more(
    account: Any, credentials: dict[str, str], service: str, operation: str, parameters: dict[str, Any]
) -> None:
    with pytest.raises(ClientError) as refused:
        getattr(account.server.client(service, credentials), operation)(**parameters)
    assert refused.value.response["Error"]["Code"] in DENIED
