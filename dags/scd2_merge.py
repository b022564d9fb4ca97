"""
### Updates the truck history

**From** the stream `TRUCK_TELEMETRY_STREAM` (readings that Snowpipe loaded into `TRUCK_TELEMETRY_RAW`) **to**
`TRUCK_TELEMETRY_DATA`, one row per version of a truck (SCD Type 2), and `HISTORY_MERGE_RUNS`, one row per merge.

Starts by itself when the stream has rows (an asset watcher in the triggerer), and every hour in case the watcher missed
some. Skipped when there is nothing to merge. A run merges again, at most once per `CTD_MERGE_MIN_INTERVAL_SECONDS`,
while rows keep coming, for up to `CTD_RUN_MINUTES`. Between two merges the task is *deferred*, and holds neither worker
nor pool slot. The run's log has a line for each merge; its asset event has the sums.

- **Safe to run again?** Yes: the history depends only on the readings, and the stream's offset moves in the same
  commit.
- **When it fails:** the task's log has Snowflake's error. The history is as before. "Stream … is stale": run the DAG
  `repair_history`, which creates a new stream and rebuilds the history.
- **Can it be ignored?** A single failure, yes: the rows wait in the stream, and the trigger asks again within five
  minutes. If it continues, no: the dashboard shows old data.
- **Does it not start at all, or stay *deferred* while rows wait?** The triggerer must run, and the pool
  `history_writer` must exist.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Asset, AssetWatcher
from clicks_to_deliveries.airflow_releases import AssetOrTimeSchedule, CronTriggerTimetable
from clicks_to_deliveries.defaults import dag_arguments
from clicks_to_deliveries.operators.merge_history import MergeHistoryOperator
from clicks_to_deliveries.triggers.stream_has_data import StreamHasDataTrigger

from include import assets, names
from include.settings import settings

# The stream's asset again, with a watcher.  assets.py can't attach it: the watcher needs a trigger from plugins/, and
# include/ imports nothing from there.
rows_to_merge = AssetWatcher(
    name="rows_to_merge",
    trigger=StreamHasDataTrigger(
        stream=names.RAW_STREAM,
        snowflake_conn_id=names.SNOWFLAKE_CONNECTION,
        dag_id=names.dag("scd2_merge"),
        min_interval_seconds=settings().merge_min_interval_seconds,
    ),
)

with DAG(
    dag_id=names.dag("scd2_merge"),
    doc_md=__doc__,
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("0 * * * *", timezone="UTC"),
        assets=[
            Asset(
                name=assets.RAW_STREAM.name,
                uri=assets.RAW_STREAM.uri,
                group=assets.RAW_STREAM.group,
                watchers=[rows_to_merge],
            )
        ],
    ),
    **dag_arguments(
        __file__,
        title="Truck history",
        tags={"truck-telemetry", "history"},
        run_timeout=timedelta(hours=2),
        # A backlog of days is one MERGE, which a timeout must not cancel again and again.
        task_timeout=timedelta(hours=1),
    ),
):
    MergeHistoryOperator(
        task_id="merge",
        run_for=timedelta(minutes=settings().run_minutes),
        min_interval=timedelta(seconds=settings().merge_min_interval_seconds),
        pool=names.HISTORY_WRITER_POOL,
        inlets=[assets.RAW],
        outlets=[assets.HISTORY],
    )
