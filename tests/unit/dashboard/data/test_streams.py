"""The lag of the streams from CloudWatch, and the state of their mappings from Lambda."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pandas as pd
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from dashboard import data
from dashboard.data import streams
from include import names

pytestmark = pytest.mark.unit


@pytest.fixture
def cloudwatch() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("cloudwatch")


def put(
    cloudwatch: Any, namespace: str, metric: str, dimension: str, value: str, *measured: tuple[datetime, float]
) -> None:
    cloudwatch.put_metric_data(
        Namespace=namespace,
        MetricData=[
            {"MetricName": metric, "Dimensions": [{"Name": dimension, "Value": value}], "Timestamp": minute}
            | {"Unit": "Milliseconds", "Value": milliseconds}
            for minute, milliseconds in measured
        ],
    )


def test_the_highest_lag_of_each_minute_in_seconds(cloudwatch: Any) -> None:
    minute = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=5)
    earlier, second = minute - timedelta(minutes=3), timedelta(seconds=1)
    truck = ("AWS/Lambda", "IteratorAge", "FunctionName", names.TRUCK_FUNCTION)
    put(cloudwatch, *truck, (minute, 500), (minute + second, 2500), (earlier, 0))
    put(cloudwatch, "ClicksToDeliveries", "OldestLag", "service", names.CLICK_FUNCTION, (minute, 700))
    put(cloudwatch, "AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", "StreamName", names.CLICK_STREAM, (minute, 90))
    # Of another function.
    put(cloudwatch, "AWS/Lambda", "IteratorAge", "FunctionName", "Other", (minute, 9e9))
    # Before the window, which is an hour at least.
    put(cloudwatch, *truck, (minute - timedelta(hours=2), 9e9))
    found = data.stream_lags(5)
    assert set(found.itertuples(index=False, name=None)) == {
        (names.TRUCK_STREAM, data.RECEIVED, pd.Timestamp(minute), 2.5),
        (names.TRUCK_STREAM, data.RECEIVED, pd.Timestamp(earlier), 0.0),
        (names.CLICK_STREAM, data.DURABLE, pd.Timestamp(minute), 0.7),
        (names.CLICK_STREAM, data.READ, pd.Timestamp(minute), 0.09),
    }
    assert found["minute"].is_monotonic_increasing


def test_no_measurement_has_no_row(cloudwatch: Any) -> None:
    found = data.stream_lags(5)
    assert found.empty
    assert isinstance(found["minute"].dtype, pd.DatetimeTZDtype)


class Lambda:
    """The answers of ListEventSourceMappings by function, or an error."""

    def __init__(self, mappings: dict[str, list[dict[str, Any]]], error: str | None = None) -> None:
        self.mappings, self.error = mappings, error

    def list_event_source_mappings(self, FunctionName: str) -> dict[str, Any]:
        if self.error:
            raise ClientError({"Error": {"Code": self.error}}, "ListEventSourceMappings")
        return {"EventSourceMappings": self.mappings.get(FunctionName, [])}


def test_each_stream_has_its_own_mapping_or_none(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    of_stream = {"EventSourceArn": f"arn:aws:kinesis:eu-west-1:1:stream/{names.TRUCK_STREAM}", "State": "Enabled"}
    of_another = {"EventSourceArn": "arn:aws:sqs:eu-west-1:1:queue", "State": "Disabled"}
    answer = Lambda(
        {names.TRUCK_FUNCTION: [of_another, of_stream | {"LastModified": now, "LastProcessingResult": "OK"}]}
    )
    monkeypatch.setattr(streams, "client", lambda service: answer)
    assert data.stream_mappings() == [
        data.StreamMapping(names.CLICK_STREAM, names.CLICK_FUNCTION, None, "", None),
        data.StreamMapping(names.TRUCK_STREAM, names.TRUCK_FUNCTION, "Enabled", "OK", now),
    ]


def test_a_refusal_names_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "client", lambda service: Lambda({}, "AccessDeniedException"))
    with pytest.raises(data.StoreUnavailableError, match="Lambda refused"):
        data.stream_mappings()
