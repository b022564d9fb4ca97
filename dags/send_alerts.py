"""
### Sends the alerts that people do not have yet

**From** two outboxes, the table `ALERTS` in Snowflake (what checks found) and Airflow's Variables `unsent_alert.*`
(runs that failed, or succeed again), **to** the channels of `CTD_ALERT_CHANNELS`. Starts within seconds after an alert
was stored, again every 5 minutes while one waits, and every hour in case the triggerer does not run. The two tasks do
not need each other: people are notified of failed runs also while Snowflake is down.

- **Safe to run again?** Yes: each alert is recorded per channel as soon as that channel accepted it. A crash between
  the two repeats at most one message on one channel.
- **When it fails:** nothing is lost. The task's log says which channel did not accept an alert, and why. The next run
  sends what waits.
- **Can it be ignored?** No: people do not know what they must know. Read the runbook for where to see it meanwhile.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Asset, AssetWatcher
from clicks_to_deliveries.airflow_releases import AssetOrTimeSchedule, CronTriggerTimetable
from clicks_to_deliveries.defaults import dag_arguments
from clicks_to_deliveries.operators.send_alerts import SendAlertsOperator
from clicks_to_deliveries.triggers.alerts_wait import AlertsWaitTrigger

from include import names, naming
from include.settings import settings

# An asset of its own: nothing updates it but the watcher.
unsent_alerts = Asset(
    name=naming.airflow("unsent_alerts"),
    watchers=[AssetWatcher(name="alerts_wait", trigger=AlertsWaitTrigger())],
)

with DAG(
    dag_id=names.dag("send_alerts"),
    doc_md=__doc__,
    schedule=AssetOrTimeSchedule(timetable=CronTriggerTimetable("40 * * * *", timezone="UTC"), assets=[unsent_alerts]),
    **dag_arguments(
        __file__,
        title="Send alerts",
        tags={"monitoring"},
        run_timeout=timedelta(minutes=30),
        task_timeout=timedelta(minutes=10),
    ),
):
    SendAlertsOperator(task_id="send_run_alerts", about="failed runs", channels=settings().alert_channels)
    SendAlertsOperator(task_id="send_findings", about="findings", channels=settings().alert_channels)
