"""
### Balances the conservation ledger

**From** the raw archive, every store behind it and the truck history **to** `CONSERVATION_LEDGER`, one row a stream
and arrival hour: every archived record is in its sink, a duplicate, in quarantine or resolved; nothing is in a store
that was not archived; no click key has two contents; the history holds what is in `TRUCK_TELEMETRY_RAW`.

Hourly, twenty minutes past: hours that have closed since, at most 24 a stream after an outage, and hours of the last
two days that did not balance. Started with the form it counts the hours from *Since* to *Until* again, the open one
included, which is then marked as open and fails nothing.

- **Safe to run again?** Yes: it changes nothing but the ledger, whose rows it overwrites.
- **When it fails:** all balances are stored; the alert has the hour, how many records differ and which files or
  sequence numbers. The runbook says for each difference what it means and what to do.
- **To be ignored?** No: each difference is told once, and once more when the hour balances again.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param
from clicks_to_deliveries.defaults import dag_arguments
from clicks_to_deliveries.operators.reconcile import ReconcileOperator

from include import assets
from include.settings import settings


def moment(title: str, description: str) -> Param:
    return Param(None, type=["null", "string"], format="date-time", title=title, description=description)


with DAG(
    dag_id="reconcile",
    doc_md=__doc__,
    # Firehose's buffers, Snowpipe and a merge have had include.ledger's grace by then.
    schedule="20 * * * *",
    params={
        "since": moment("Since", "Arrived at or after; UTC if without offset. Empty: only what is due is counted."),
        "until": moment("Until", "Arrived before; the hour it is in is counted whole. Empty: now."),
    },
    **dag_arguments(
        runbook="docs/runbooks/reconcile.md",
        tags={"ledger", "quality"},
        run_timeout=timedelta(hours=2),
        task_timeout=timedelta(hours=1),
    ),
):
    ReconcileOperator(
        task_id="count_hours",
        bucket=settings().telemetry_bucket,
        index_shards=settings().click_index_shards,
        since="{{ params['since'] or '' }}",
        until="{{ params['until'] or '' }}",
        outlets=[assets.LEDGER],
    )
