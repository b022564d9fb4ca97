"""
### Keeps Airflow's own database small

**From** Airflow's metadata database **to** nothing: deletes runs, tasks, XComs, asset events and log entries that are
older than `CTD_METADATA_RETENTION_DAYS`, of all DAGs of this Airflow. Runs daily, by `airflow db clean`. The last
scheduled run of each DAG stays.

Needs the connection `airflow_metadata`, because tasks of Airflow 3 may not use its database. Skipped without it, as on
MWAA and Astro, which have ways of their own (`docs/deploy.md`).

- **Safe to run again?** Yes: it deletes what is older, batch by batch.
- **When it fails:** the log has what `airflow db clean` says. What was deleted before stays deleted.
- **Can it be ignored?** For weeks, yes. Pages and scheduler become slower as the database grows.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG
from clicks_to_deliveries.defaults import dag_arguments
from clicks_to_deliveries.operators.clean_metadata import CleanMetadataOperator

from include import names
from include.settings import settings

with DAG(
    dag_id=names.dag("clean_metadata"),
    doc_md=__doc__,
    schedule="50 3 * * *",
    **dag_arguments(
        __file__,
        title="Clean up Airflow",
        tags={"monitoring"},
        run_timeout=timedelta(hours=2),
        task_timeout=timedelta(hours=1),
    ),
):
    CleanMetadataOperator(task_id="clean", keep=timedelta(days=settings().metadata_retention_days))
