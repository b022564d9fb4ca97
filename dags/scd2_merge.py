"""
### Brings the truck history up to date

**From** the stream `TRUCK_TELEMETRY_STREAM` (readings that Snowpipe loaded into `TRUCK_TELEMETRY_RAW`) **to**
`TRUCK_TELEMETRY_DATA`, one row a version of a truck (SCD Type 2), and one row a merge to `HISTORY_MERGE_RUNS`.

Starts by itself when the stream has rows (an asset watcher in the triggerer; at most once in
`CTD_MERGE_MIN_INTERVAL_SECONDS`), and every hour in case that was missed. Skipped when there is nothing to merge.

- **Safe to run again?** Yes: the merge makes the history what the readings say it is, and the stream's offset moves
  in the same commit.
- **When it fails:** see the Snowflake error in the task's log. Nothing was half done. "Stream … is stale": run the
  DAG `repair_history`, which begins a new one and rebuilds the history.
- **To be ignored?** A single failure, yes: the rows wait in the stream and the trigger asks again within five
  minutes. When it goes on, no: the dashboard shows old data.
- **Not starting at all?** The triggerer must run, and the pool `history_writer` must exist.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Asset, AssetOrTimeSchedule, AssetWatcher, CronTriggerTimetable
from clicks_to_deliveries.defaults import dag_arguments
from clicks_to_deliveries.operators.merge_history import MergeHistoryOperator
from clicks_to_deliveries.triggers.stream_has_data import StreamHasDataTrigger

from include import assets, names
from include.settings import settings

rows_to_merge = AssetWatcher(
    name="rows_to_merge",
    trigger=StreamHasDataTrigger(
        stream=names.RAW_STREAM,
        snowflake_conn_id=names.SNOWFLAKE_CONNECTION,
        min_interval_seconds=settings().merge_min_interval_seconds,
    ),
)

with DAG(
    dag_id="scd2_merge",
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
        runbook="docs/runbooks/scd2_merge.md",
        tags={"truck-telemetry", "history"},
        run_timeout=timedelta(hours=1),
        task_timeout=timedelta(minutes=15),
    ),
):
    MergeHistoryOperator(task_id="merge", pool=names.HISTORY_WRITER_POOL, outlets=[assets.HISTORY])
