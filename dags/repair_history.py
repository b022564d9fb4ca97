"""
### Repairs the truck history from RAW

**From** `TRUCK_TELEMETRY_RAW` **to** `TRUCK_TELEMETRY_DATA`: repairs one truck, a range of time, or both; or rebuilds
everything; or, if the stream `TRUCK_TELEMETRY_STREAM` is stale, creates a new stream and then rebuilds everything.
Start it by hand with the form. `HISTORY_MERGE_RUNS` records each run.

A repair checks the versions in its scope and writes only those that are wrong. A rebuild writes all versions. Neither
loses anything that RAW still has. Merges wait until it ends (pool `history_writer`).

- **Safe to run again?** Yes, also after it was killed: the result depends only on the readings in RAW.
- **When it fails:** the task's log has Snowflake's error, or the field of the form that can't be used. The history is
  as before. "Insufficient privileges" means that the role does not own the stream, which it must replace.
- **Can it be ignored?** No: somebody started it because the history was wrong.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param
from clicks_to_deliveries.defaults import dag_arguments
from clicks_to_deliveries.operators.repair_history import ACTIONS, REPAIR, RepairHistoryOperator
from clicks_to_deliveries.params import optional_time, truck_id

from include import assets, names

PARAMS = {
    "action": Param(
        REPAIR,
        type="string",
        enum=list(ACTIONS),
        title="Do",
        description="A repair is for a truck or a time, the others are for everything.",
    ),
    "truck_id": truck_id("Truck", "Empty: all.", is_optional=True),
    "since": optional_time("Event time at or after"),
    "until": optional_time("Event time before"),
}

with DAG(
    dag_id=names.dag("repair_history"),
    doc_md=__doc__,
    schedule=None,
    params=PARAMS,
    **dag_arguments(
        __file__,
        title="Repair the truck history",
        tags={"truck-telemetry", "history"},
        run_timeout=timedelta(hours=2),
        task_timeout=timedelta(hours=1),
    ),
):
    RepairHistoryOperator(
        task_id="repair",
        plan={name: f"{{{{ params['{name}'] or '' }}}}" for name in PARAMS},
        pool=names.HISTORY_WRITER_POOL,
        inlets=[assets.RAW],
        outlets=[assets.HISTORY],
    )
