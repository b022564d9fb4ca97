"""
### Takes down what provision_resources made

**From** the AWS and Snowflake accounts of the connections **to** nothing. Started by hand, and only with the
stack's name typed into `confirm`.

Deletes the CloudFormation stack: streams, functions, tables, topic, bucket. The bucket's objects (landing zone,
archive, quarantine) only with `empty_bucket`; the Snowflake tables, pipe, integration, warehouse and roles only
with `drop_snowflake`. Neither can be undone. The deployment bucket stays.

- **Safe to run again?** Yes, what is gone is skipped over.
- **When it fails:** "bucket holds objects": nothing was touched. Otherwise the log names the resource that could
  not be deleted.
- **To be ignored?** A stack half deleted goes on costing: no.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.sdk import DAG, Param, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from clicks_to_deliveries.defaults import dag_arguments
from clicks_to_deliveries.operators.delete_stack import DeleteStackOperator

from include import names
from include.settings import settings


def skip_unless_drop_snowflake(context) -> None:
    if not context["params"]["drop_snowflake"]:
        raise AirflowSkipException("Not asked to drop the Snowflake objects")


with DAG(
    dag_id="teardown_resources",
    doc_md=__doc__,
    schedule=None,
    params={
        "confirm": Param("", type="string", title="Name of the stack", description="Type it to confirm."),
        "empty_bucket": Param(False, type="boolean", description="Delete every object of the telemetry bucket."),
        "drop_snowflake": Param(False, type="boolean", description="Drop the Snowflake objects, and all history."),
    },
    **dag_arguments(
        runbook="docs/runbooks/teardown_resources.md",
        tags={"setup"},
        run_timeout=timedelta(hours=2),
        task_timeout=timedelta(minutes=45),
    ),
):

    @task(retries=0)
    def confirm(params: dict | None = None) -> None:
        """Fails unless the stack's name was typed in."""
        if params["confirm"] != settings().stack_name:
            raise AirflowFailException(f"not confirmed: set the parameter confirm to {settings().stack_name}")

    delete_stack = DeleteStackOperator(
        task_id="delete_stack",
        stack_name=settings().stack_name,
        bucket=settings().telemetry_bucket,
        empty_bucket="{{ params.empty_bucket }}",
    )
    drop_snowflake = SQLExecuteQueryOperator(
        task_id="drop_snowflake",
        conn_id=names.SNOWFLAKE_CONNECTION,
        sql="ops/drop_everything.sql",
        autocommit=True,
        pre_execute=skip_unless_drop_snowflake,
    )
    confirm() >> delete_stack >> drop_snowflake
