"""The data that DAGs exchange, as Airflow assets.

The account in a ``snowflake://`` address is the name of the Airflow connection, so that the same DAGs run on a laptop
and in an account.
"""

from __future__ import annotations

from airflow.sdk import Asset

from include import names, naming


def _snowflake_object(name: str) -> Asset:
    uri = f"snowflake://{names.SNOWFLAKE_CONNECTION}/{names.DATABASE}/{names.SCHEMA}/{name}"
    return Asset(name=naming.airflow(name.lower()), uri=uri, group="truck_telemetry")


# Rows that Snowpipe loaded; monitor_snowpipe updates it.
RAW = _snowflake_object(names.RAW_TABLE)
# Rows of RAW that no merge has consumed yet; scd2_merge watches it.
RAW_STREAM = _snowflake_object(names.RAW_STREAM)
# The history; each merge updates it.
HISTORY = _snowflake_object(names.HISTORY_TABLE)
# What the quality rules found; each run of data_quality updates it.
QUALITY_RESULTS = _snowflake_object(names.QUALITY_RESULTS_TABLE)
# Whether every record of each arrival hour is accounted for; each run of reconcile updates it.
LEDGER = _snowflake_object(names.LEDGER_TABLE)
