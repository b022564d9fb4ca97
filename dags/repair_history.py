"""
### Puts the truck history right, from what RAW says

**From** `TRUCK_TELEMETRY_RAW` **to** `TRUCK_TELEMETRY_DATA`, for one truck, a range of time, or both; or everything
anew; or, where the stream `TRUCK_TELEMETRY_STREAM` is stale, a new stream and then everything. Started by hand with the
form. Each run is in `HISTORY_MERGE_RUNS`.

A repair looks at the versions in its scope and writes only those that are wrong. A rebuild writes all. Neither takes
anything away that RAW still knows, and merges wait meanwhile (pool `history_writer`).

- **Safe to run again?** Yes, also after being killed: it makes the history what the readings say it is.
- **When it fails:** the task's log has Snowflake's error, or what of the form can't be used. Nothing was half done.
  "Insufficient privileges": replacing the stream needs a role that owns it.
- **To be ignored?** No: somebody started it because the history was wrong.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param
from clicks_to_deliveries.defaults import dag_arguments
from clicks_to_deliveries.operators.repair_history import ACTIONS, REPAIR, RepairHistoryOperator

from include import assets, names
from include.contracts.telemetry import MAX_TRUCK_ID_LENGTH


def moment(title: str) -> Param:
    return Param(None, type=["null", "string"], format="date-time", title=title, description="UTC if without offset.")


PARAMS = {
    "action": Param(
        REPAIR,
        type="string",
        enum=list(ACTIONS),
        title="Do",
        description="Repair a truck or a time; the others are for everything.",
    ),
    "truck_id": Param(
        None, type=["null", "string"], maxLength=MAX_TRUCK_ID_LENGTH, title="Truck", description="Empty: all."
    ),
    "since": moment("What happened at or after"),
    "until": moment("What happened before"),
}

with DAG(
    dag_id="repair_history",
    doc_md=__doc__,
    schedule=None,
    params=PARAMS,
    **dag_arguments(
        runbook="docs/runbooks/repair_history.md",
        tags={"truck-telemetry", "history"},
        run_timeout=timedelta(hours=2),
        task_timeout=timedelta(hours=1),
    ),
):
    RepairHistoryOperator(
        task_id="repair",
        plan={name: f"{{{{ params['{name}'] or '' }}}}" for name in PARAMS},
        pool=names.HISTORY_WRITER_POOL,
        outlets=[assets.HISTORY],
    )
