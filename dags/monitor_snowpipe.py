"""
### Watches Snowpipe

**From** the pipe `TRUCK_TELEMETRY_PIPE` and the load history of `TRUCK_TELEMETRY_RAW` **to** the asset
`truck_telemetry_raw`, which is updated when rows have arrived. Checks every few minutes (`CTD_MONITOR_SCHEDULE`): one
run checks again and again for up to `CTD_RUN_MINUTES`, and ends when something is wrong or is over. Between two checks,
and while files are pending, it waits in the triggerer and occupies no worker.

Fails while the pipe does not run, a file has been pending for more than ten minutes, files loaded since the last check
have errors, or the stream that `scd2_merge` reads is stale or becomes stale within twelve hours. One alert is stored
when such a problem starts and one when it ends; `send_alerts` sends it. Skipped when nothing is wrong and nothing
arrived.

- **Safe to run again?** Yes, it changes nothing. One run reports each load; a retry of that run reports it again.
- **When it fails:** the alert and the end of the log name the file, the line and the first error, or the state of
  the pipe. If the pipe is paused, find out who paused it, then `ALTER PIPE ... SET PIPE_EXECUTION_PAUSED = FALSE` and
  `REFRESH`. If a file is bad, fix its producer; the file's readings are in `raw-archive/`. If the stream is stale, run
  the DAG `repair_history`.
- **Can it be ignored?** A load error never: those readings are in no table. Pending files, once the next run is green.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG
from clicks_to_deliveries.defaults import dag_arguments
from clicks_to_deliveries.operators.check_pipe import CheckPipeOperator

from include import assets, names
from include.settings import settings

with DAG(
    dag_id=names.dag("monitor_snowpipe"),
    doc_md=__doc__,
    schedule=settings().monitor_schedule,
    **dag_arguments(
        __file__,
        title="Snowpipe",
        tags={"truck-telemetry", "monitoring"},
        run_timeout=timedelta(hours=2),
        task_timeout=timedelta(minutes=5),
    ),
):
    CheckPipeOperator(
        task_id="check_pipe",
        asset=assets.RAW,
        run_for=timedelta(minutes=settings().run_minutes),
        schedule=settings().monitor_schedule,
        pending_limit=timedelta(minutes=10),
        # Lambda and Snowpipe, which no DAG starts, lie between these and RAW.
        inlets=[assets.READINGS, assets.LANDING_ZONE],
    )
