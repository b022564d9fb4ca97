"""
### Tells when the last copy of an erased truck is gone

**From** the records that `erase_truck` leaves (Variables `erased.*`, which do not name the truck), the type and
retention of Snowflake's tables and the offsets of the streams **to** the log and one notification. Runs daily.

Deleted rows stay in Time Travel, Fail-safe and backups for days. The log of each run says, for each erasure, what may
still hold a copy and until when. When nothing does any more, people are notified once: "the last copy of an erased
truck is gone". It wakes no warehouse, and asks nothing while no erasure is open.

- **Safe to run again?** Yes: it changes nothing but its own records.
- **When it fails:** Snowflake did not answer. The next run checks the same.
- **Can it be ignored?** For days, yes: copies go by themselves. Only the notification is late.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG
from clicks_to_deliveries.defaults import dag_arguments
from clicks_to_deliveries.operators.check_erasures import CheckErasuresOperator

from include import names
from include.settings import settings

# What Kinesis has if nothing else is set.
LEAST_RETENTION_HOURS = 24

with DAG(
    dag_id=names.dag("check_erasures"),
    doc_md=__doc__,
    schedule="10 6 * * *",
    **dag_arguments(
        __file__,
        title="Last copies of erased trucks",
        tags={"truck-telemetry", "erasure"},
        run_timeout=timedelta(minutes=30),
        task_timeout=timedelta(minutes=5),
    ),
):
    CheckErasuresOperator(
        task_id="check", stream_retention_hours=settings().stream_retention_hours or LEAST_RETENTION_HOURS
    )
