"""
### Balances the conservation ledger

**From** the raw archive, every store behind it and the truck history **to** `CONSERVATION_LEDGER`, one row per stream
and arrival hour. An hour balances if every archived record is in its sink, a duplicate, in quarantine or resolved,
every record in a store is archived, no click key has two contents, and the history covers `TRUCK_TELEMETRY_RAW`.

Runs hourly, twenty minutes past. It counts the hours that have closed since the last run (after an outage at most 24
per stream), and hours of the last two days that did not balance, or whose archive got objects after they were counted.
Started with the form, it counts the hours from *Since* to *Until* again, including the open hour, which is marked as
open and fails nothing. A run is skipped, without resuming a warehouse, when nothing happened in the hours that closed:
nothing is in the archive, in quarantine or in the click table, and nothing was loaded.

- **Safe to run again?** Yes: it changes only the ledger, whose rows it overwrites.
- **When it fails:** all balances are stored. The alert names the hour, how many records differ, and the files or
  sequence numbers. The runbook says what each difference means and what to do.
- **Can it be ignored?** No: there is one alert per difference, and one when the hour balances again. They are stored
  with the ledger, and `send_alerts` sends them.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG
from clicks_to_deliveries.defaults import dag_arguments
from clicks_to_deliveries.operators.reconcile import ReconcileOperator
from clicks_to_deliveries.params import optional_time

from include import assets, names
from include.settings import settings

with DAG(
    dag_id=names.dag("reconcile"),
    doc_md=__doc__,
    # By then the grace that include.ledger gives Firehose's buffers, Snowpipe and a merge has passed.
    schedule="20 * * * *",
    params={
        "since": optional_time("Since", "Arrived at or after. UTC if without offset. Empty: only hours that are due."),
        "until": optional_time("Until", "Arrived before. Counts the whole hour. Empty: now."),
    },
    **dag_arguments(
        __file__,
        title="Ledger",
        tags={"ledger", "quality"},
        run_timeout=timedelta(hours=2),
        task_timeout=timedelta(hours=1),
    ),
):
    ReconcileOperator(
        task_id="count_hours",
        bucket=settings().telemetry_bucket,
        index_shards=settings().click_index_shards,
        click_ttl_days=settings().click_ttl_days,
        since="{{ params['since'] or '' }}",
        until="{{ params['until'] or '' }}",
        asset=assets.LEDGER,
        inlets=[
            assets.CLICKS,
            assets.READINGS,
            assets.ARCHIVE,
            assets.QUARANTINE,
            assets.CLICK_ROWS,
            assets.LANDING_ZONE,
            assets.RAW,
            assets.HISTORY,
        ],
        outlets=[assets.DASHBOARD],
    )
