"""
### Checks the truck telemetry and the clicks

**From** the rules in `sql/quality` (each is a query for rows that should not exist, in RAW, in the history, or in
DynamoDB's tables) **to** `DATA_QUALITY_RESULTS`, one row per rule and run. Runs after each merge (asset
`truck_telemetry_data`) but at most every `CTD_QUALITY_MIN_INTERVAL_SECONDS`, and every quarter of an hour, because a
silent stream causes no merge. One run checks again and again for up to `CTD_RUN_MINUTES`, waits in the triggerer in
between, and ends when a rule fails or an alert is due; the next one begins within five minutes. No check, and no
warehouse resumed, when nothing happened since the last one and time alone changes no result. Started by hand, it
always checks.

Every rule runs, and every result is stored. The run fails while a rule of severity `fail` finds something, or while any
rule can't run. An alert is stored with the results when a failure starts, every 6 hours while it lasts, and when it is
over; `send_alerts` sends it. A rule of severity `warn` shows on the dashboard; one that says `notify: once` also alerts
when it starts and when it is over. `CTD_QUALITY_RULES_OFF` turns warnings off.

- **Safe to run again?** Yes: a re-run replaces its own results and stores no alert twice.
- **When it fails:** the alert names the rule, the count and samples, what it means and what to do, and the
  section of the runbook. The dashboard shows the same (Pipeline health, Quality).
- **Can it be ignored?** No. You may ignore what `warn` rules find.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG
from clicks_to_deliveries.airflow_releases import AssetOrTimeSchedule, CronTriggerTimetable
from clicks_to_deliveries.defaults import dag_arguments
from clicks_to_deliveries.operators.check_quality import CheckQualityOperator

from include import assets, names
from include.settings import settings

with DAG(
    dag_id=names.dag("data_quality"),
    doc_md=__doc__,
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("*/5 * * * *", timezone="UTC"), assets=[assets.HISTORY]
    ),
    **dag_arguments(
        __file__,
        title="Data quality",
        tags={"truck-telemetry", "clicks", "quality"},
        run_timeout=timedelta(hours=2),
        task_timeout=timedelta(minutes=15),
    ),
):
    CheckQualityOperator(
        task_id="check_quality",
        index_shards=settings().click_index_shards,
        asset=assets.QUALITY_RESULTS,
        # A check after each merge is a run of its own: the merge's asset event starts it.
        run_for=timedelta(minutes=settings().run_minutes if settings().quality_min_interval_seconds else 0),
        min_interval=timedelta(seconds=settings().quality_min_interval_seconds),
        rules_off=settings().quality_rules_off,
        inlets=[assets.RAW, assets.HISTORY, assets.CLICK_ROWS, assets.TRUCK_STATES, assets.LEDGER],
        outlets=[assets.DASHBOARD],
    )
