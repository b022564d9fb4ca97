"""The data that DAGs hand to each other, as Airflow assets.

The account in a ``snowflake://`` address is the Airflow connection's: the same DAGs run on a laptop and in an account.
"""

from __future__ import annotations

from airflow.sdk import Asset

from include import names


def _warehouse_object(name: str) -> Asset:
    uri = f"snowflake://{names.SNOWFLAKE_CONNECTION}/{names.DATABASE}/{names.SCHEMA}/{name}"
    return Asset(name=name.lower(), uri=uri, group="truck_telemetry")


# Rows that Snowpipe loaded, as monitor_snowpipe saw them arrive.
RAW = _warehouse_object(names.RAW_TABLE)
# Rows of RAW that no merge has consumed yet; scd2_merge watches it.
RAW_STREAM = _warehouse_object(names.RAW_STREAM)
# The history, after a merge.
HISTORY = _warehouse_object(names.HISTORY_TABLE)
# What the quality rules found, after a run of them.
QUALITY_RESULTS = _warehouse_object(names.QUALITY_RESULTS_TABLE)
# Whether every record of each arrival hour is accounted for, after a run of reconcile.
LEDGER = _warehouse_object(names.LEDGER_TABLE)
