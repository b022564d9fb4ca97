"""Errors of AWS: each names the store and the next step."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from dashboard import data
from dashboard.data import aws as dashboard_aws
from include import names

pytestmark = pytest.mark.unit


def test_a_table_that_does_not_exist_says_to_provision(aws: Any) -> None:
    aws["dynamodb"].delete_table(TableName=names.TRUCK_STATE_TABLE)
    with pytest.raises(data.StoreUnavailableError) as caught:
        data.truck_states()
    assert caught.value.store == data.STATE_STORE
    assert "does not exist" in caught.value.problem
    assert "provision_resources" in caught.value.check


def test_an_unreachable_aws_is_named_with_what_to_check() -> None:
    with pytest.raises(data.StoreUnavailableError) as caught, dashboard_aws.errors_of(data.CLICK_STORE):
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
    assert caught.value.store == data.CLICK_STORE
    assert caught.value.problem == "is unreachable"
    assert "AWS_ENDPOINT_URL" in caught.value.check
    assert "http://127.0.0.1:1" in caught.value.said


def test_a_refusal_points_at_permissions() -> None:
    with pytest.raises(data.StoreUnavailableError) as caught, dashboard_aws.errors_of(data.BUCKET_STORE):
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "ListObjectsV2")
    assert "AccessDenied" in caught.value.said
    assert "permissions" in caught.value.check


def test_a_missing_region_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(data.StoreUnavailableError, match="region") as caught:
        data.truck_states()
    assert "AWS_DEFAULT_REGION" in caught.value.check
