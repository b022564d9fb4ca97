"""
### Deletes everything that provision_resources created

**From** the AWS and Snowflake accounts of the connections **to** nothing. Start it by hand, and type the stack's name
into `confirm`.

A second person sees how much would be deleted, and approves or rejects within a day. Then it stops what writes, lifts
the protection from deletion, and deletes the CloudFormation stack: streams, functions, tables, topic and both buckets.
Producers get errors from then on. Deletes the buckets' objects (landing zone, archive,
quarantine, abandoned batches) only with `empty_bucket`, and the Snowflake tables, pipe, integration and warehouses only
with `drop_snowflake`. Neither can be undone. The deployment bucket stays.

- **Safe to run again?** Yes: it skips what no longer exists.
- **When it fails:** "bucket holds objects" means that nothing was stopped or deleted. Otherwise the log names the
  resource that could not be deleted.
- **Can it be ignored?** No: a stack that is half deleted still costs money.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Param, task
from clicks_to_deliveries.defaults import dag_arguments
from clicks_to_deliveries.failures import FormError
from clicks_to_deliveries.operators.approval import LONGEST_RUN, ApproveOperator
from clicks_to_deliveries.operators.count_deployment import CountDeploymentOperator
from clicks_to_deliveries.operators.delete_stack import DeleteStackOperator
from clicks_to_deliveries.operators.drop_snowflake import DropSnowflakeOperator
from clicks_to_deliveries.params import confirmation

from include import names, snowflake_governance
from include.settings import settings

# What the second person sees.
QUESTION = """
Streams, functions, tables, topic and buckets of the stack are deleted, and with them:

| what | how much |
|---|---|
{% for place, count in ti.xcom_pull(task_ids='count').items() -%}
| {{ place }} | {{ count }} |
{% endfor %}
{{ dag_run.triggering_user_name or 'Nobody' }} started this run. A teardown can't be undone.
"""

with DAG(
    dag_id=names.dag("teardown_resources"),
    doc_md=__doc__,
    schedule=None,
    params={
        "confirm": confirmation(settings().stack_name, "Name of the stack"),
        "empty_bucket": Param(
            False, type="boolean", title="Empty the buckets", description="Delete every object in both."
        ),
        "drop_snowflake": Param(
            False, type="boolean", title="Drop Snowflake", description="Drop its objects, and the history with them."
        ),
    },
    **dag_arguments(
        __file__,
        title="Tear down",
        is_dangerous=True,
        tags={"setup"},
        run_timeout=LONGEST_RUN,
        task_timeout=timedelta(minutes=45),
    ),
):

    @task(retries=0)
    def confirm(**context: Any) -> None:
        """Fails unless ``confirm`` is the stack's name."""
        if context["params"]["confirm"] != settings().stack_name:
            raise FormError(f"not confirmed: set the parameter confirm to {settings().stack_name}")

    count = CountDeploymentOperator(
        task_id="count",
        bucket=settings().telemetry_bucket,
        empty_bucket="{{ params.empty_bucket }}",
        drop="{{ params.drop_snowflake }}",
    )
    approve = ApproveOperator(
        task_id="approve",
        subject=f"Delete the stack {settings().stack_name}?",
        body=QUESTION,
        approval=settings().approval,
    )
    delete_stack = DeleteStackOperator(
        task_id="delete_stack",
        stack_name=settings().stack_name,
        bucket=settings().telemetry_bucket,
        empty_bucket="{{ params.empty_bucket }}",
    )
    drop_snowflake = DropSnowflakeOperator(
        task_id="drop_snowflake",
        drop="{{ params.drop_snowflake }}",
        parameters=snowflake_governance.parameters(settings()),
    )
    confirm() >> count >> approve >> delete_stack >> drop_snowflake
