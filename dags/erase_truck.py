"""
### Erases everything that any store holds of one truck

**From** the truck's id, typed twice, **to** nothing left of it: abandoned batches, quarantine, resolved records, raw
archive and landing files in the bucket, with all their old versions; `TruckLatestState`; RAW, history, register, and
the samples of quality results and ledger. Other trucks' records stay as they are, byte for byte. Started by hand with
the form; by default it only counts. It can't be undone.

First make the truck stop sending. What is still in the streams comes later: run it again, with *Stored since*, when
they have forgotten it (docs/erasure.md has the times). Pause `reconcile` meanwhile: between two stores its counts
differ.

- **Safe to run again?** Yes, also after being killed anywhere: what is done is done, and a run looks at everything.
- **When it fails:** the alert names objects that can't be read, or says that the truck still sends. A missing
  connection `aws_erasure` or `snowflake_erasure`: docs/erasure.md says what they need.
- **To be ignored?** Never: somebody was promised this.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param, task
from airflow.sdk.exceptions import AirflowFailException
from clicks_to_deliveries.defaults import dag_arguments
from clicks_to_deliveries.operators.erase_truck import EraseObjectsOperator, EraseRowsOperator, VerifyErasureOperator

from include import names
from include.contracts.telemetry import MAX_TRUCK_ID_LENGTH
from include.settings import settings

PARAMS = {
    "truck_id": Param("", type="string", maxLength=MAX_TRUCK_ID_LENGTH, title="Truck", description="As it reports."),
    "confirm": Param("", type="string", title="The truck's id once more", description="Needed to erase."),
    "dry_run": Param(True, type="boolean", title="Only count", description="Switch off to erase."),
    "since": Param(
        None,
        type=["null", "string"],
        format="date-time",
        title="Stored since",
        description="Only for the second run: when the first one, which succeeded, began.  UTC if without offset.",
    ),
}

with DAG(
    dag_id="erase_truck",
    doc_md=__doc__,
    schedule=None,
    params=PARAMS,
    **dag_arguments(
        runbook="docs/runbooks/erase_truck.md",
        tags={"truck-telemetry", "erasure"},
        run_timeout=timedelta(hours=2),
        task_timeout=timedelta(hours=1, minutes=50),
    ),
):

    @task(retries=0)
    def confirm(params: dict | None = None) -> None:
        """Fails unless there is a truck, and it was typed twice if it is to be erased."""
        if not params["truck_id"]:
            raise AirflowFailException("no truck: set the parameter truck_id")
        if not params["dry_run"] and params["confirm"] != params["truck_id"]:
            raise AirflowFailException(f"not confirmed: set the parameter confirm to {params['truck_id']}")

    truck = {"truck_id": "{{ params.truck_id }}", "dry_run": "{{ params.dry_run }}"}
    erase_objects = EraseObjectsOperator(
        task_id="erase_objects", bucket=settings().telemetry_bucket, since="{{ params.since or '' }}", **truck
    )
    erase_rows = EraseRowsOperator(task_id="erase_rows", pool=names.HISTORY_WRITER_POOL, **truck)
    verify = VerifyErasureOperator(
        task_id="verify",
        bucket=settings().telemetry_bucket,
        since="{{ ti.xcom_pull(task_ids='erase_objects')['started_at'] }}",
        **truck,
    )
    confirm() >> erase_objects >> erase_rows >> verify
