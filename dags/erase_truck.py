"""
### Erases one truck from every store

**From** the truck's id, typed twice, **to** no trace of the truck: in the buckets abandoned batches, quarantine,
resolved records, raw archive and its errors, and landing files, with all their old versions; `TruckLatestState`; RAW,
the history, the register, findings, and what names it in quality results, ledger and alerts. Other trucks' records stay
unchanged, byte for byte. Start it by hand with the form. By default it only counts. Otherwise a second person sees the
counts, and approves or rejects within a day. It can't be undone.

First make the truck stop sending. The streams still hold its last records: run the DAG again, with *Stored since*, when
the streams no longer have them (docs/erasure.md has the times). Pause `reconcile` until then, because its counts differ
while only some stores are erased.

- **Safe to run again?** Yes, also after it was killed at any point. Each run checks everything again.
- **When it fails:** the alert says that readings of the truck are assigned to another id or truck, names objects that
  can't be read, or says that the truck still sends. If the connection `aws_erasure` or `snowflake_erasure` is missing,
  docs/erasure.md says what it needs.
- **Can it be ignored?** Never: somebody has a right to this erasure.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Param, task
from clicks_to_deliveries.defaults import dag_arguments
from clicks_to_deliveries.failures import FormError
from clicks_to_deliveries.operators.approval import LONGEST_RUN, ApproveOperator
from clicks_to_deliveries.operators.erase_truck import (
    CheckTrackersOperator,
    EraseObjectsOperator,
    EraseRowsOperator,
    VerifyErasureOperator,
)
from clicks_to_deliveries.params import optional_time, reported_id, unquoted

from include import names
from include.settings import settings

PARAMS = {
    "truck_id": reported_id("Truck", "Its id.", is_optional=False),
    "confirm": Param("", type="string", title="The truck's id once more", description="Needed to erase."),
    "dry_run": Param(True, type="boolean", title="Only count", description="Switch off to erase."),
    "since": optional_time(
        "Stored since",
        "Only for the second run: the time when the first, successful run began. UTC if without offset.",
    ),
}

# What the second person sees.
QUESTION = """
{% set objects = ti.xcom_pull(task_ids='count_objects') %}
| store | of this truck |
|---|---|
{% for prefix, store in objects['stores'].items() -%}
| `{{ prefix }}` | {{ '{:,}'.format(store['records']) }} records, {{ '{:,}'.format(store['outdated']) }} old versions |
{% endfor -%}
| TruckLatestState | {{ 'its state' if objects['state'] else 'nothing' }} |
{% for table, rows in ti.xcom_pull(task_ids='count_rows').items() -%}
| {{ table }} | {{ '{:,}'.format(rows) }} rows |
{% endfor %}
{{ 'Stored since ' + params.since + '.' if params.since else '' }}
{{ dag_run.triggering_user_name or 'Nobody' }} started this run. An erasure can't be undone.
"""

with DAG(
    dag_id=names.dag("erase_truck"),
    doc_md=__doc__,
    schedule=None,
    params=PARAMS,
    user_defined_filters={"unquoted": unquoted},
    **dag_arguments(
        __file__,
        title="Erase a truck",
        is_dangerous=True,
        tags={"truck-telemetry", "erasure"},
        run_timeout=LONGEST_RUN,
        task_timeout=timedelta(hours=1, minutes=50),
    ),
):

    @task(retries=0)
    def confirm(**context: Any) -> None:
        """Fails if no truck is given, or if its id was not typed twice to erase it."""
        params = context["params"]
        if not params["truck_id"]:
            raise FormError("no truck: set the parameter truck_id")
        if not params["dry_run"] and params["confirm"] != params["truck_id"]:
            raise FormError(f"not confirmed: set the parameter confirm to {params['truck_id']}")

    truck, count_only = "{{ params.truck_id | unquoted }}", "{{ params.dry_run }}"
    check_trackers = CheckTrackersOperator(task_id="check_trackers", truck_id=truck, count_only=count_only)
    count_objects = EraseObjectsOperator(
        task_id="count_objects",
        bucket=settings().telemetry_bucket,
        truck_id=truck,
        since="{{ params.since or '' }}",
        count_only=True,
    )
    count_rows = EraseRowsOperator(task_id="count_rows", truck_id=truck, count_only=True)
    approve = ApproveOperator(
        task_id="approve",
        subject="Erase truck {{ params.truck_id | unquoted | tojson }} from every store?",
        body=QUESTION,
        only_count=count_only,
        approval=settings().approval,
    )
    erase_objects = EraseObjectsOperator(
        task_id="erase_objects",
        bucket=settings().telemetry_bucket,
        truck_id=truck,
        since="{{ params.since or '' }}",
        count_only=False,
    )
    erase_rows = EraseRowsOperator(
        task_id="erase_rows", truck_id=truck, count_only=False, pool=names.HISTORY_WRITER_POOL
    )
    verify = VerifyErasureOperator(
        task_id="verify",
        bucket=settings().telemetry_bucket,
        truck_id=truck,
        since="{{ ti.xcom_pull(task_ids='erase_objects')['started_at'] }}",
        count_only=False,
    )
    confirm() >> check_trackers >> count_objects >> count_rows >> approve >> erase_objects >> erase_rows >> verify
