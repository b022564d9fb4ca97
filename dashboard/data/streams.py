"""How far behind the functions are that consume the streams: CloudWatch's metrics and Lambda's mappings.

Lambda measures IteratorAge.  Where something else delivers the streams, it reports the same metric
(include/local/aws/event_source_mapping/iterator_age.py).  A metric has data only while something is consumed: without
data there is no measurement, which is not a lag of zero.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pandas as pd
import streamlit as st

from dashboard.data import lifetimes
from dashboard.data.aws import client, errors_of
from dashboard.data.clock import now
from dashboard.data.stores import FUNCTION_STORE, METRIC_STORE
from include import names

CONSUMERS = {names.CLICK_STREAM: names.CLICK_FUNCTION, names.TRUCK_STREAM: names.TRUCK_FUNCTION}

# What is measured, each in milliseconds: the age of a record when its function receives it, the time until a batch is
# durable, and the age of a record when anybody reads it, such as the raw archive.
RECEIVED, DURABLE, READ = "received", "durable", "read"

PERIOD_SECONDS = 60
# In minutes, so that the last measurement of a consumer that has stopped is seen for a while.
SHORTEST_WINDOW = 60


class StreamMapping(NamedTuple):
    """An event source mapping: what makes Lambda deliver a stream to a function.

    Attributes:
        stream: the stream's name.
        function: the name of the function that consumes it.
        state: Enabled, Disabled, Enabling and others; None if there is no mapping.
        last_result: how the last delivery ended, in Lambda's words; empty if it says nothing.
        modified: when the mapping last changed.
    """

    stream: str
    function: str
    state: str | None
    last_result: str
    modified: datetime | None


@st.cache_data(ttl=lifetimes.HISTORY, show_spinner=False)
def stream_lags(minutes: int) -> pd.DataFrame:
    """Return how old records were when they were consumed, per minute of at least the last hour.

    Columns: stream, kind (:data:`RECEIVED`, :data:`DURABLE` or :data:`READ`), minute (UTC) and seconds, the highest of
    that minute; oldest first.  A minute without a measurement has no row.

    Raises:
        StoreUnavailableError: CloudWatch can't answer.
    """
    # Whole minutes: CloudWatch counts its periods from the start.
    until = now().replace(second=0, microsecond=0) + timedelta(minutes=1)
    metrics = {
        f"{kind}_{number}": (stream, kind, metric)
        for number, (stream, function) in enumerate(CONSUMERS.items())
        for kind, metric in _metrics(stream, function).items()
    }
    rows = []
    with errors_of(METRIC_STORE):
        pages = (
            client("cloudwatch")
            .get_paginator("get_metric_data")
            .paginate(
                MetricDataQueries=[
                    {"Id": name, "MetricStat": {"Metric": metric, "Period": PERIOD_SECONDS, "Stat": "Maximum"}}
                    for name, (_, _, metric) in metrics.items()
                ],
                StartTime=until - timedelta(minutes=max(minutes, SHORTEST_WINDOW)),
                EndTime=until,
                ScanBy="TimestampAscending",
            )
        )
        for page in pages:
            for result in page["MetricDataResults"]:
                stream, kind, _ = metrics[result["Id"]]
                values = zip(result["Timestamps"], result["Values"], strict=True)
                rows += [(stream, kind, minute, milliseconds / 1000) for minute, milliseconds in values]
    frame = pd.DataFrame(rows, columns=["stream", "kind", "minute", "seconds"])
    frame["minute"] = pd.to_datetime(frame["minute"], utc=True)
    return frame.astype({"seconds": "float64"}).sort_values("minute", kind="stable", ignore_index=True)


@st.cache_data(ttl=lifetimes.HISTORY, show_spinner=False)
def stream_mappings() -> list[StreamMapping]:
    """Return the mapping of each stream.

    Raises:
        StoreUnavailableError: Lambda can't answer.
    """
    with errors_of(FUNCTION_STORE):
        return [_mapping(stream, function) for stream, function in CONSUMERS.items()]


def _metrics(stream: str, function: str) -> dict[str, dict[str, Any]]:
    """Return the metric of each kind, as CloudWatch names it."""

    def metric(namespace: str, name: str, dimension: str, value: str) -> dict[str, Any]:
        return {"Namespace": namespace, "MetricName": name, "Dimensions": [{"Name": dimension, "Value": value}]}

    return {
        RECEIVED: metric("AWS/Lambda", "IteratorAge", "FunctionName", function),
        DURABLE: metric(names.METRICS_NAMESPACE, "OldestLag", "service", function),
        READ: metric("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", "StreamName", stream),
    }


def _mapping(stream: str, function: str) -> StreamMapping:
    found = client("lambda").list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
    for each in found:
        if str(each.get("EventSourceArn", "")).endswith(f":stream/{stream}"):
            return StreamMapping(
                stream, function, each["State"], each.get("LastProcessingResult") or "", each.get("LastModified")
            )
    return StreamMapping(stream, function, None, "", None)
