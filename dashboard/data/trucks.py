"""What the queries of trucks share, in DynamoDB and in Snowflake: the columns of the metrics, and a limit."""

from include.contracts import METRICS

METRIC_NAMES = tuple(metric.name for metric in METRICS)
NUMERIC_METRICS = tuple(metric.name for metric in METRICS if metric.kind == "number")
STATUSES = tuple(metric.name for metric in METRICS if metric.kind == "text")

MAX_TRUCKS = 20_000
