"""The contracts of both streams: what makes a record valid.  One msgspec struct per kind of event."""

from include.contracts.click import ClickEvent, decode_click
from include.contracts.envelope import Envelope
from include.contracts.errors import ContractError, Reason
from include.contracts.metric_policy import MetricPolicy
from include.contracts.metric_policy_text import MetricPolicyError, read_metric_policy
from include.contracts.telemetry import METRICS, Metric, TelemetryReading, decode_reading
from include.contracts.times import MAX_CLOCK_SKEW, TimeLimits

__all__ = [
    "MAX_CLOCK_SKEW",
    "METRICS",
    "ClickEvent",
    "ContractError",
    "Envelope",
    "Metric",
    "MetricPolicy",
    "MetricPolicyError",
    "Reason",
    "TelemetryReading",
    "TimeLimits",
    "decode_click",
    "decode_reading",
    "read_metric_policy",
]
