"""
### Shows CloudWatch that Airflow works, and measures what AWS does not

**From** the scheduler, the workers, the triggerer, the telemetry bucket and the alert topic **to** five metrics in the
CloudWatch namespace `ClicksToDeliveries`. Runs every 5 minutes.

- `scheduler` reports `SchedulerHeartbeat`: the scheduler started a task and a worker ran it.
- `triggerer` defers, and reports `TriggererHeartbeat` when the triggerer has brought it back.
- `measure` stores an alert about batches that a mapping gave up on. It reports `AbandonedBatches`, the batches that
  wait for more than 15 minutes to be moved into quarantine, `ArchiveErrorObjects`, what Firehose could not archive
  within an hour, and `AlertSubscribers`, the confirmed subscriptions to the alerts.

CloudWatch's alarms notify people, also when this DAG does not run at all (`docs/alarms.md`). So its tasks send no alert
of their own: a dead triggerer would send one every 5 minutes.

- **Safe to run again?** Yes: a count that is reported twice changes no alarm.
- **When it fails:** the failed task says which part does not work, see `docs/runbooks/heartbeat.md`.
- **Can it be ignored?** One run, yes. While it is paused, `SchedulerAlarm` and `TriggererAlarm` fire.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG
from clicks_to_deliveries.defaults import dag_arguments
from clicks_to_deliveries.operators.heartbeat import HeartbeatOperator, TriggererHeartbeatOperator
from clicks_to_deliveries.operators.measure_alerting import MeasureAlertingOperator

from include import names
from include.settings import settings

with DAG(
    dag_id=names.dag("heartbeat"),
    doc_md=__doc__,
    schedule="*/5 * * * *",
    **dag_arguments(
        __file__,
        title="Heartbeat",
        tags={"monitoring"},
        # A run that waits for a dead triggerer must not hold up the scheduler's next sign of life.
        run_timeout=timedelta(minutes=4),
        task_timeout=timedelta(minutes=2),
        retries=0,
    ),
):
    HeartbeatOperator(task_id="scheduler")
    TriggererHeartbeatOperator(task_id="triggerer")
    MeasureAlertingOperator(task_id="measure", bucket=settings().telemetry_bucket)
