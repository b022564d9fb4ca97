"""
### Creates and updates everything the pipeline runs on

**From** this repository (Lambda code, CloudFormation template, `sql/ddl`) **to** the AWS account and the Snowflake
account of the connections `aws_default` and `snowflake_default`. Started by hand: after installing, and after a
change.

AWS and Snowflake must each know something of the other, so the stack is deployed three times, and a deployment that
changes nothing does nothing: first with what Snowflake tells already; then with the storage integration's user,
which the Snowflake role trusts; last with the pipe's queue, which the bucket notifies (`docs/adr/0016`).

Firehose archives from the moment it begins to read: `probe_archive` sends probe records until one of every shard has
reached `raw-archive/`, and clears them away (`docs/adr/0007`).

- **Safe to run again?** Yes. A second run changes nothing.
- **When it fails:** the log of the failed task names the resource and the reason; CloudFormation has rolled back.
  Mend it and run again. `verify` fails with everything that is not as it should be.
- **To be ignored?** No: until it succeeds, what was there before stays as it was.
- **Afterwards:** unpause the other DAGs. The pool `history_writer` (one slot) is made where Airflow is installed:
  `airflow pools set history_writer 1 "One writer of the history"`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Variable, task
from clicks_to_deliveries.defaults import dag_arguments
from clicks_to_deliveries.operators.deploy_stack import DeployStackOperator
from clicks_to_deliveries.operators.probe_archive import ProbeArchiveOperator
from clicks_to_deliveries.operators.provision_snowflake import ProvisionSnowflakeOperator
from clicks_to_deliveries.operators.publish_bundles import PublishBundlesOperator
from clicks_to_deliveries.operators.verify_pipeline import VerifyPipelineOperator

from include import names
from include.cloudformation import TEMPLATE
from include.settings import settings

with DAG(
    dag_id="provision_resources",
    doc_md=__doc__,
    schedule=None,
    **dag_arguments(
        runbook="docs/runbooks/provision_resources.md",
        tags={"setup"},
        run_timeout=timedelta(hours=1),
        task_timeout=timedelta(minutes=20),
    ),
):
    bundles = PublishBundlesOperator(
        task_id="publish_bundles",
        bucket=settings().deployment_bucket,
        functions={
            "ClickCodeKey": "kinesis_to_dynamodb",
            "TruckCodeKey": "truck_data",
            "ApiCodeKey": "truck_telemetry_api",
            "ArchiveCodeKey": "archive_envelope",
            "IntakeCodeKey": "quarantine_intake",
        },
        python_version=settings().lambda_runtime.removeprefix("python"),
        platform=settings().bundle_platform,
        multiple_outputs=True,
    )

    def deploy(task_id: str, snowflake: ProvisionSnowflakeOperator) -> DeployStackOperator:
        """The stack, with what ``snowflake`` has told about itself."""
        return DeployStackOperator(
            task_id=task_id,
            stack_name=settings().stack_name,
            template=str(TEMPLATE),
            template_bucket=settings().deployment_bucket,
            parameters={
                "DeploymentBucket": settings().deployment_bucket,
                "ClickCodeKey": bundles.output["ClickCodeKey"],
                "TruckCodeKey": bundles.output["TruckCodeKey"],
                "ApiCodeKey": bundles.output["ApiCodeKey"],
                "ArchiveCodeKey": bundles.output["ArchiveCodeKey"],
                "IntakeCodeKey": bundles.output["IntakeCodeKey"],
                "TelemetryBucketName": settings().telemetry_bucket,
                "LambdaRuntime": settings().lambda_runtime,
                "LambdaArchitecture": settings().lambda_architecture,
                "ClickShards": settings().click_shards,
                "TruckShards": settings().truck_shards,
                "ClickIndexShards": settings().click_index_shards,
                "BatchingWindowSeconds": settings().batching_window_seconds,
                "EventSourceMappingsEnabled": settings().event_source_mappings_enabled,
                "ArchiveIntervalSeconds": settings().archive_interval_seconds,
                "ApiEndpoint": settings().api_endpoint,
                "SnowflakeUserArn": snowflake.output["SnowflakeUserArn"],
                "SnowflakeExternalId": snowflake.output["SnowflakeExternalId"],
                "SnowpipeQueueArn": snowflake.output["SnowpipeQueueArn"],
            },
            timeout=timedelta(minutes=15),
            multiple_outputs=True,
            aws_conn_id=names.AWS_CONNECTION,
        )

    before = ProvisionSnowflakeOperator(task_id="read_snowflake", multiple_outputs=True)
    stack = deploy("deploy_stack", before)
    # Beside what follows: nothing of it changes streams, functions or Firehose.
    probe = ProbeArchiveOperator(
        task_id="probe_archive",
        bucket=stack.output["TelemetryBucketName"],
        patience=timedelta(seconds=2 * settings().archive_interval_seconds + 60),
    )
    parameters = {
        "storage_role_arn": stack.output["SnowflakeRoleArn"],
        "telemetry_bucket": stack.output["TelemetryBucketName"],
    }
    # Up to the storage integration, and the tables.
    integration = ProvisionSnowflakeOperator(
        task_id="create_integration", ddl="ddl/0[1-5]*.sql", parameters=parameters, multiple_outputs=True
    )
    trusting = deploy("trust_snowflake", integration)
    # The pipe, which may read the bucket from the moment it exists, and what comes after it.
    pipe = ProvisionSnowflakeOperator(
        task_id="create_pipe", ddl="ddl/0[6-9]*.sql", parameters=parameters, multiple_outputs=True
    )
    notifying = deploy("notify_snowpipe", pipe)

    @task
    def store_outputs(outputs: dict[str, str]) -> None:
        """Keeps the stack's outputs where the other DAGs, and every alert, look for them."""
        Variable.set(names.STACK_OUTPUTS_VARIABLE, outputs, serialize_json=True)

    verify = VerifyPipelineOperator(
        task_id="verify", bucket=settings().telemetry_bucket, queue_arn=pipe.output["SnowpipeQueueArn"]
    )
    trusting >> pipe
    [probe, store_outputs(notifying.output), notifying] >> verify
