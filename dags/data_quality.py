"""
### Checks the truck telemetry and the clicks

**From** the rules in `sql/quality` (each a query for what should not be there: in RAW, in the history, in DynamoDB's
tables) **to** `DATA_QUALITY_RESULTS`, one row a rule and run. Runs after each merge (asset `truck_telemetry_data`), and
every quarter of an hour, as silence merges nothing.

All rules run and all results are stored. While a rule of severity `fail` finds something, or any rule can't run, the
run fails; people are told through SNS when that begins, every 6 hours while it lasts, and when it is over. A rule of
severity `warn` is shown on the dashboard and pages nobody.

- **Safe to run again?** Yes: the same run replaces its own results, and nobody is told again.
- **When it fails:** the message names rule, count, samples, what it means and what to do, with its section of the
  runbook; the dashboard (Pipeline health, Quality) shows the same.
- **To be ignored?** No. What `warn` rules find may be.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable
from clicks_to_deliveries.defaults import dag_arguments
from clicks_to_deliveries.notifiers.failure_alert import FailureAlert
from clicks_to_deliveries.operators.check_quality import CheckQualityOperator, QualityFailed

from include import assets, quality
from include.settings import settings

with DAG(
    dag_id="data_quality",
    doc_md=__doc__,
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("*/15 * * * *", timezone="UTC"), assets=[assets.HISTORY]
    ),
    **dag_arguments(
        runbook=quality.RUNBOOK,
        tags={"truck-telemetry", "clicks", "quality"},
        run_timeout=timedelta(hours=1),
        task_timeout=timedelta(minutes=15),
    ),
):
    CheckQualityOperator(
        task_id="check_quality",
        index_shards=settings().click_index_shards,
        outlets=[assets.QUALITY_RESULTS],
        on_failure_callback=FailureAlert(quality.RUNBOOK, already_notified=(QualityFailed,)),
    )
