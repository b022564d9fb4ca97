"""Every query of the dashboard: plain values in, DataFrames out.

Nothing else in the dashboard connects to a store.  One module per store, and two for Snowflake: :mod:`dynamodb`,
:mod:`s3`, :mod:`truck_queries` and :mod:`pipeline_queries`.  Pages import this package and call
``data.clicks(minutes)``.

Queries bind their values and never render them into a statement.  Every read has a limit; every call has a timeout and
a bounded number of retries.  Each answer is kept for a while (:mod:`lifetimes`), so ten open browsers cost as much as
one.  All times are timezone-aware UTC.

Standard AWS_* variables locate AWS, SNOWFLAKE_* variables locate Snowflake (see :mod:`settings`), and CTD_* variables
name the bucket and the shards of the click index (see include/settings.py).
"""

from dashboard.data.clock import now
from dashboard.data.dynamodb import MAX_ITEMS, RECENT, ClickWindow, clicks, items, newest_click, truck_states
from dashboard.data.pipeline_queries import ledger, load_history, merge_runs, quality_results, table_freshness
from dashboard.data.register import NO_REGISTER, FleetRegister
from dashboard.data.s3 import MAX_QUARANTINE_READS, QuarantineCounts, newest_landing, quarantine
from dashboard.data.settings import connection_settings, deployment
from dashboard.data.stores import (
    BUCKET_STORE,
    CLICK_STORE,
    SETTINGS,
    SNOWFLAKE_STORE,
    STATE_STORE,
    StoreUnavailableError,
)
from dashboard.data.truck_queries import as_of, current_rows, fleet_register, history_span, tracks, versions
from dashboard.data.trucks import METRIC_NAMES

__all__ = [
    "BUCKET_STORE",
    "CLICK_STORE",
    "MAX_ITEMS",
    "MAX_QUARANTINE_READS",
    "METRIC_NAMES",
    "NO_REGISTER",
    "RECENT",
    "SETTINGS",
    "SNOWFLAKE_STORE",
    "STATE_STORE",
    "ClickWindow",
    "FleetRegister",
    "QuarantineCounts",
    "StoreUnavailableError",
    "as_of",
    "clicks",
    "connection_settings",
    "current_rows",
    "deployment",
    "fleet_register",
    "history_span",
    "items",
    "ledger",
    "load_history",
    "merge_runs",
    "newest_click",
    "newest_landing",
    "now",
    "quality_results",
    "quarantine",
    "table_freshness",
    "tracks",
    "truck_states",
    "versions",
]
