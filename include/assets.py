"""The data that tasks read and write, as Airflow assets: from the streams to the dashboard.

A task names what it reads as inlets and what it changes as outlets, so Airflow's graph of assets is the pipeline's flow
(docs/assets.md).  An account's part of an address is the setting CTD_SNOWFLAKE_ACCOUNT or CTD_AWS_ACCOUNT; without it,
the id of the connection, as DAG files read no connection.
"""

from __future__ import annotations

from airflow.sdk import Asset

from include import names, naming
from include.settings import settings

_GROUP = "clicks_to_deliveries"
_SNOWFLAKE = settings().snowflake_account or names.SNOWFLAKE_CONNECTION
_AWS = settings().aws_account or names.AWS_CONNECTION


def _asset(name: str, uri: str) -> Asset:
    return Asset(name=naming.airflow(name), uri=uri, group=_GROUP)


def _snowflake_object(name: str) -> Asset:
    return _asset(name.lower(), f"snowflake://{_SNOWFLAKE}/{names.DATABASE}/{names.SCHEMA}/{name}")


def _objects(name: str, prefix: str) -> Asset:
    return _asset(name, f"s3://{settings().telemetry_bucket}/{prefix}")


# --- What devices and shops send, and what Lambda and Firehose make of it ------------------------------------------
CLICKS = _asset("click_stream", f"kinesis://{_AWS}/{names.CLICK_STREAM}")
READINGS = _asset("truck_stream", f"kinesis://{_AWS}/{names.TRUCK_STREAM}")
ARCHIVE = _objects("raw_archive", names.ARCHIVE_PREFIX)
LANDING_ZONE = _objects("landing_zone", names.LANDING_PREFIX)
QUARANTINE = _objects("quarantine", names.QUARANTINE_PREFIX)
CLICK_ROWS = _asset("click_stream_data", f"dynamodb://{_AWS}/{names.CLICK_TABLE}")
TRUCK_STATES = _asset("truck_latest_state", f"dynamodb://{_AWS}/{names.TRUCK_STATE_TABLE}")

# --- What Airflow makes of it ----------------------------------------------------------------------------------------
# Rows that Snowpipe loaded; monitor_snowpipe updates it.
RAW = _snowflake_object(names.RAW_TABLE)
# Rows of RAW that no merge has consumed yet; scd2_merge watches it.
RAW_STREAM = _snowflake_object(names.RAW_STREAM)
# The history; each run of scd2_merge updates it.
HISTORY = _snowflake_object(names.HISTORY_TABLE)
# What the quality rules found; each run of data_quality updates it.
QUALITY_RESULTS = _snowflake_object(names.QUALITY_RESULTS_TABLE)
# Whether every record of each arrival hour is accounted for; each run of reconcile updates it.
LEDGER = _snowflake_object(names.LEDGER_TABLE)
# What people see of all this.
DASHBOARD = _asset("dashboard", f"{settings().dashboard_url or 'x-dashboard://' + naming.airflow(_GROUP)}")
