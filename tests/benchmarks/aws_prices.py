"""AWS's list prices, with their date and region, and what the pipeline's resources cost by the month."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from include.cloudformation import TEMPLATE
from include.cloudformation.render import load

DATE, REGION = "2026-11-28", "us-east-1"
HOURS_A_MONTH = 730


class Price(NamedTuple):
    """What so many of a unit cost."""

    what: str
    dollars: float
    per: float
    unit: str

    @property
    def text(self) -> str:
        number = "" if self.per == 1 else f"{self.per:,.0f} "
        return f"{self.dollars:g} per {number}{self.unit}"


# Usage -> price.  First tier, on demand, without free tiers and discounts.
PRICES = {
    "shard_hours": Price("Kinesis, provisioned: shard", 0.015, 1, "hour"),
    "put_units": Price("Kinesis, provisioned: PUT payload unit, 25 KB of a record", 0.014, 1e6, "units"),
    "lambda_requests": Price("Lambda: request", 0.20, 1e6, "requests"),
    "gb_seconds": Price("Lambda, arm64: duration", 0.0000133334, 1, "GB-second"),
    "write_units": Price("DynamoDB, on demand: write of up to 1 KB, in a table or an index", 0.625, 1e6, "units"),
    "read_units": Price("DynamoDB, on demand: consistent read of up to 4 KB", 0.125, 1e6, "units"),
    "s3_puts": Price("S3 Standard: PUT", 0.005, 1000, "requests"),
    "s3_gets": Price("S3 Standard: GET", 0.0004, 1000, "requests"),
    "firehose_gb": Price("Firehose: record, rounded up to 5 KB", 0.029, 1, "GB"),
    "api_requests": Price("API Gateway, REST: request", 3.50, 1e6, "requests"),
    "log_gb": Price("CloudWatch Logs: ingested", 0.50, 1, "GB"),
}
# Paid by the month.
MONTHLY = {
    "row_gb": Price("DynamoDB: stored", 0.25, 1, "GB-month"),
    "backup_gb": Price("DynamoDB: point-in-time recovery of a table", 0.20, 1, "GB-month"),
    "object_gb": Price("S3 Standard: stored", 0.023, 1, "GB-month"),
    "alarms": Price("CloudWatch: alarm", 0.10, 1, "alarm and month"),
    "metrics": Price("CloudWatch: custom metric", 0.30, 1, "metric and month"),
    "dashboards": Price("CloudWatch: dashboard", 3.00, 1, "dashboard and month"),
    "keys": Price("KMS: key", 1.00, 1, "key and month"),
}
# Metrics that the functions report: Processed, Duplicates, Quarantined and OldestLag of two functions.
CUSTOM_METRICS = 8
_COUNTED = {"AWS::CloudWatch::Alarm": "alarms", "AWS::CloudWatch::Dashboard": "dashboards", "AWS::KMS::Key": "keys"}


def dollars(usage: Counter[str]) -> float:
    """What the usage costs, without what is paid by the month."""
    return sum(usage[name] / price.per * price.dollars for name, price in PRICES.items())


def monthly(usage: Counter[str]) -> float:
    """What is stored and kept costs, for one month."""
    return sum(usage[name] * price.dollars for name, price in MONTHLY.items())


def fixed() -> Counter[str]:
    """What the template has, traffic or not, for a month of two streams of one shard."""
    usage = Counter(_COUNTED[each["Type"]] for each in load(TEMPLATE)["Resources"].values() if each["Type"] in _COUNTED)
    return usage + Counter({"metrics": CUSTOM_METRICS, "shard_hours": 2 * HOURS_A_MONTH})


def table() -> str:
    """All prices, as docs/cost.md has them."""
    rows = [f"| {price.what} | {price.text} |" for price in (*PRICES.values(), *MONTHLY.values())]
    return "\n".join([f"| {REGION}, {DATE} | dollars |", "|---|---|", *rows])
