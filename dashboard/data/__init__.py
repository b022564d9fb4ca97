"""Every query of the dashboard: plain values in, DataFrames out.

Nothing else in the dashboard connects to a store.  One module per subject: :mod:`dynamodb`, :mod:`s3` and
:mod:`quarantined`, :mod:`streams`, and for Snowflake :mod:`truck_queries`, :mod:`trip_queries` and
:mod:`pipeline_queries`.  Pages import this package and call ``data.clicks(minutes)``.

Queries bind their values and never render them into a statement.  Every read has a limit; every call has a timeout and
a bounded number of retries.  Each answer is kept for a while (:mod:`lifetimes`), so ten open browsers cost as much as
one.  All times are timezone-aware UTC.

Standard AWS_* variables locate AWS, SNOWFLAKE_* variables locate Snowflake (see :mod:`settings`), and CTD_* variables
name the bucket and the shards of the click index (see include/settings.py).
"""

from dashboard.data.click_periods import ItemHours, Period, PeriodSums, bar_of, item_hours, period_sums
from dashboard.data.click_sums import READ_CALLS
from dashboard.data.clock import now
from dashboard.data.connections import connect
from dashboard.data.dynamodb import MAX_ITEMS, RECENT, ClickWindow, clicks, items, newest_click, truck_states
from dashboard.data.pipeline_queries import (
    RUNS_PER_RULE,
    PipeStatus,
    alerts,
    delays,
    ledger,
    load_history,
    merge_runs,
    pipe_status,
    quality_history,
    quality_results,
    rule_results,
    slice_of,
    table_freshness,
)
from dashboard.data.quarantined import (
    MAX_QUARANTINE_READS,
    NOT_READ,
    QuarantineCounts,
    QuarantineObject,
    QuarantineSize,
    quarantine,
    quarantine_object,
    quarantine_size,
)
from dashboard.data.register import NO_REGISTER, FleetRegister
from dashboard.data.s3 import MAX_KEYS_PER_HOUR, landing_asked_since, newest_landing
from dashboard.data.settings import airflow_url, connection_settings, deployment
from dashboard.data.stores import (
    BUCKET_STORE,
    CLICK_STORE,
    FUNCTION_STORE,
    METRIC_STORE,
    SETTINGS,
    SNOWFLAKE_STORE,
    STATE_STORE,
    StoreUnavailableError,
)
from dashboard.data.streams import DURABLE, READ, RECEIVED, StreamMapping, stream_lags, stream_mappings
from dashboard.data.trip_queries import MAX_PERIODS, periods_of_day, track_of_day
from dashboard.data.truck_queries import (
    ATTENTION_DAYS,
    MAX_NEEDY,
    MAX_STATUS_RUNS,
    MAX_VERSIONS,
    as_of,
    attention_since,
    current_rows,
    fleet_register,
    history_span,
    metric_slices,
    open_findings,
    status_runs,
    tracks,
    trends,
    truck_ids,
    version_slices,
    versions,
)
from dashboard.data.trucks import MAX_TRUCKS, METRIC_NAMES, NUMERIC_METRICS, STATUSES

__all__ = [
    "ATTENTION_DAYS",
    "BUCKET_STORE",
    "CLICK_STORE",
    "DURABLE",
    "FUNCTION_STORE",
    "MAX_ITEMS",
    "MAX_KEYS_PER_HOUR",
    "MAX_NEEDY",
    "MAX_PERIODS",
    "MAX_QUARANTINE_READS",
    "MAX_STATUS_RUNS",
    "MAX_TRUCKS",
    "MAX_VERSIONS",
    "METRIC_NAMES",
    "METRIC_STORE",
    "NOT_READ",
    "NO_REGISTER",
    "NUMERIC_METRICS",
    "READ",
    "READ_CALLS",
    "RECEIVED",
    "RECENT",
    "RUNS_PER_RULE",
    "SETTINGS",
    "SNOWFLAKE_STORE",
    "STATE_STORE",
    "STATUSES",
    "ClickWindow",
    "FleetRegister",
    "ItemHours",
    "Period",
    "PeriodSums",
    "PipeStatus",
    "QuarantineCounts",
    "QuarantineObject",
    "QuarantineSize",
    "StoreUnavailableError",
    "StreamMapping",
    "airflow_url",
    "alerts",
    "as_of",
    "attention_since",
    "bar_of",
    "clicks",
    "connect",
    "connection_settings",
    "current_rows",
    "delays",
    "deployment",
    "fleet_register",
    "history_span",
    "item_hours",
    "items",
    "landing_asked_since",
    "ledger",
    "load_history",
    "merge_runs",
    "metric_slices",
    "newest_click",
    "newest_landing",
    "now",
    "open_findings",
    "period_sums",
    "periods_of_day",
    "pipe_status",
    "quality_history",
    "quality_results",
    "quarantine",
    "quarantine_object",
    "quarantine_size",
    "rule_results",
    "slice_of",
    "status_runs",
    "stream_lags",
    "stream_mappings",
    "table_freshness",
    "track_of_day",
    "tracks",
    "trends",
    "truck_ids",
    "truck_states",
    "version_slices",
    "versions",
]
