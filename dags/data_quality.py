"""
### Checks the truck telemetry

**From** the rules in `sql/quality` (each a query for what should not be there, over history and RAW) **to**
`DATA_QUALITY_RESULTS`, one row a rule and run. Runs after each merge (asset `truck_telemetry_data`).

All rules run and all results are stored; then the run fails, with one alert, when a rule of severity `fail` found
something or could not run. A rule of severity `warn` is shown on the dashboard and pages nobody.

- **Safe to run again?** Yes: the same run replaces its own results.
- **When it fails:** the alert names rule, count and samples; the head of the rule's file says what it means and
  what to do.
- **To be ignored?** No. What `warn` rules find may be.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG
from clicks_to_deliveries.defaults import dag_arguments
from clicks_to_deliveries.operators.check_quality import CheckQualityOperator

from include import assets

with DAG(
    dag_id="data_quality",
    doc_md=__doc__,
    schedule=[assets.HISTORY],
    **dag_arguments(
        runbook="docs/runbooks/data_quality.md",
        tags={"truck-telemetry", "quality"},
        run_timeout=timedelta(minutes=30),
        task_timeout=timedelta(minutes=10),
    ),
):
    CheckQualityOperator(task_id="check_quality", outlets=[assets.QUALITY_RESULTS])
