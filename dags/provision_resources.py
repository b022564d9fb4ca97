"""
### Creates and updates everything that the pipeline runs on

**From** this repository (Lambda code, CloudFormation template, `sql/ddl`) **to** the AWS account and the Snowflake
account of the connections `aws_deployer` and `snowflake_deployer`. Start it by hand, after the installation and after
each change.

AWS and Snowflake each need values of the other, so the stack is deployed three times: first with the values that
Snowflake already has; then with the storage integration's user, which the Snowflake role trusts; last with the pipe's
queue, which the bucket notifies. A deployment that changes nothing does nothing (`docs/adr/0016`). Then the pipe loads
the files that landed before the bucket notified it.

`upgrade_snowflake` refuses what can't be done safely, before anything is changed: a change of a table or stream that
Snowflake can't make in place, and a role that does not see what the stack relies on
(`docs/deploy.md`, "Upgrading").

Firehose archives only from the moment it begins to read. `probe_archive` sends probe records until one from every
shard has reached `raw-archive/`, then removes them (`docs/adr/0006`).

- **Safe to run again?** Yes. A second run changes nothing.
- **When it fails:** "nothing was changed" lists what is in the way of an upgrade. Otherwise the log of the failed task
  names the resource and the reason, and CloudFormation has rolled back.
  So it has if an alarm of a function fired within ten minutes after an update (`CTD_DEPLOY_WATCH_MINUTES`).
  Fix the reason and run it again. `verify` fails with a list of everything that is wrong, which includes that nobody
  has confirmed a subscription to the alerts: confirm it in its e-mail, then clear `verify`.
- **Can it be ignored?** No: until it succeeds, the previous version stays deployed.
- **Afterwards:** unpause the other DAGs, `heartbeat` first: its alarms fire until it runs. Create the pool
  `history_writer` (one slot) where you install Airflow:
  `airflow pools set history_writer 1 "One writer of the history"`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from airflow.sdk import DAG, BaseOperator, Param, Variable, task
from clicks_to_deliveries.defaults import dag_arguments
from clicks_to_deliveries.operators.deploy_stack import DeployStackOperator
from clicks_to_deliveries.operators.govern_snowflake import GovernSnowflakeOperator
from clicks_to_deliveries.operators.probe_archive import ProbeArchiveOperator
from clicks_to_deliveries.operators.provision_snowflake import OF_INTEGRATION, ProvisionSnowflakeOperator
from clicks_to_deliveries.operators.publish_bundles import PublishBundlesOperator
from clicks_to_deliveries.operators.refresh_pipe import RefreshPipeOperator
from clicks_to_deliveries.operators.upgrade_snowflake import UpgradeSnowflakeOperator
from clicks_to_deliveries.operators.verify_pipeline import VerifyPipelineOperator

from include import names, naming, snowflake_governance
from include.cloudformation import STACK_POLICY, TEMPLATE
from include.settings import settings

# An update that makes one of them fire is rolled back; CloudFormation takes at most five (docs/adr/0016).
FUNCTION_ALARMS = ("ClickErrorAlarm", "TruckErrorAlarm", "ApiErrorAlarm", "ArchiveErrorAlarm", "IntakeErrorAlarm")
WATCHED = timedelta(minutes=settings().deploy_watch_minutes)
CHOSEN = {
    "reclustering": "resume" if settings().automatic_clustering else "suspend",
    "queued_timeout": str(settings().snowflake_queued_timeout_seconds),
}
# What AWS needs of a storage integration that does not exist yet, where the settings know it.
KNOWN = {"SnowflakeUserArn": settings().snowflake_user_arn, "SnowflakeExternalId": settings().snowflake_external_id}


def outputs(operator: BaseOperator) -> dict[str, str]:
    """Stand for what ``operator`` returns, in the arguments of another task.

    When the DAG is parsed this is an XComArg.  An index makes an XComArg of one value, which Airflow's types don't say.
    """
    return cast("dict[str, str]", operator.output)


def given(**parameters: str | int | bool | None) -> dict[str, str | int | bool]:
    """Return the parameters that are set.  The stack keeps the values of the others."""
    return {name: value for name, value in parameters.items() if value is not None}


def configured() -> dict[str, str | int | bool]:
    """Return the template's parameters that the settings decide."""
    return {
        "NamePrefix": naming.aws(""),
        "DeploymentBucket": settings().deployment_bucket,
        "TelemetryBucketName": settings().telemetry_bucket,
        "LambdaRuntime": settings().lambda_runtime,
        "LambdaArchitecture": settings().lambda_architecture,
        "ClickShards": settings().click_shards,
        "TruckShards": settings().truck_shards,
        "ClickIndexShards": settings().click_index_shards,
        "StreamMode": "ON_DEMAND" if settings().streams_on_demand else "PROVISIONED",
        "BatchingWindowSeconds": settings().batching_window_seconds,
        "TruckBatchingWindowSeconds": settings().truck_batching_window_seconds,
        "ProcessorMemoryMb": settings().processor_memory_mb,
        "ProcessorLanes": settings().processor_lanes,
        "ReservedConcurrency": settings().reserved_concurrency,
        "ArchiveConcurrency": settings().archive_concurrency,
        "ApiConcurrency": settings().api_concurrency,
        "NullOutOfRange": settings().null_out_of_range,
        "MetricDecimals": settings().metric_decimals,
        "EventSourceMappingsEnabled": settings().event_source_mappings_enabled,
        "ArchiveIntervalSeconds": settings().archive_interval_seconds,
        "ApiEndpoint": settings().api_endpoint,
        "ApiAuthorization": settings().api_authorization,
        "ApiUserPoolArns": settings().api_user_pools,
        "ApiTrucksClaim": settings().api_trucks_claim,
        "ApiBindCallers": settings().api_bind_callers,
        "ApiWebAclArn": settings().api_web_acl,
        "ClickTtlDays": settings().click_ttl_days,
        "PermissionsBoundaryArn": settings().permissions_boundary_arn,
        **given(
            AlertEmail=settings().alert_email,
            QuarantineAlarmThreshold=settings().quarantine_alarm_threshold,
            StreamRetentionHours=settings().stream_retention_hours,
            MaxRecordAgeSeconds=settings().max_record_age_seconds,
            MaxEventAgeSeconds=settings().max_event_age_seconds,
            ApiRateLimit=settings().api_rate_limit,
            ApiBurstLimit=settings().api_burst_limit,
            ApiAccessLog=settings().api_access_log,
        ),
    }


with DAG(
    dag_id=names.dag("provision_resources"),
    doc_md=__doc__,
    schedule=None,
    params={
        "recreate": Param(
            False,
            type="boolean",
            description="The storage integration or the pipe was dropped: create it again. Without this, a run is"
            " refused if Snowflake does not show what the stack relies on.",
        ),
        "keep_unknown_columns": Param(
            False,
            type="boolean",
            description="Leave columns that this version does not know, such as your own, or those of a later version"
            " that you go back from.",
        ),
    },
    **dag_arguments(
        __file__,
        title="Provision",
        tags={"setup"},
        run_timeout=timedelta(hours=1) + WATCHED,
        task_timeout=timedelta(minutes=20) + WATCHED,
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

    def deploy(
        task_id: str, integration: ProvisionSnowflakeOperator, pipe: ProvisionSnowflakeOperator, **options: Any
    ) -> DeployStackOperator:
        """The stack, with the values that the tasks return; ``options`` are the operator's."""
        return DeployStackOperator(
            task_id=task_id,
            stack_name=settings().stack_name,
            template=str(TEMPLATE),
            template_bucket=settings().deployment_bucket,
            parameters={
                **configured(),
                "ClickCodeKey": outputs(bundles)["ClickCodeKey"],
                "TruckCodeKey": outputs(bundles)["TruckCodeKey"],
                "ApiCodeKey": outputs(bundles)["ApiCodeKey"],
                "ArchiveCodeKey": outputs(bundles)["ArchiveCodeKey"],
                "IntakeCodeKey": outputs(bundles)["IntakeCodeKey"],
                "SnowflakeUserArn": outputs(integration)["SnowflakeUserArn"],
                "SnowflakeExternalId": outputs(integration)["SnowflakeExternalId"],
                "SnowpipeQueueArn": outputs(pipe)["SnowpipeQueueArn"],
                # A teardown that did not finish has stopped the stack.
                "Stopped": False,
                **given(DeletionProtection=options.get("protected")),
            },
            tags=settings().tags,
            # AWS at most doubles or halves a stream's shards at a time.
            stepwise=() if settings().streams_on_demand else ("ClickShards", "TruckShards"),
            timeout=timedelta(minutes=15) + WATCHED,
            multiple_outputs=True,
            role_arn=settings().stack_role_arn or None,
            aws_conn_id=names.DEPLOYER_AWS_CONNECTION,
            **options,
        )

    # An existing deployment gets new columns, and a pipe that loads them, before functions that write them.
    before = UpgradeSnowflakeOperator(
        task_id="upgrade_snowflake",
        # Without the landing zone, whose files need the stack's outputs: it exists, and never changes.
        ddl="ddl/0[124-9]*.sql",
        stack_name=settings().stack_name,
        recreate="{{ params.recreate }}",
        chosen=KNOWN,
        keep_unknown_columns="{{ params.keep_unknown_columns }}",
        parameters=CHOSEN,
        multiple_outputs=True,
    )
    # Only this deployment has new code.
    stack = deploy(
        "deploy_stack",
        before,
        before,
        if_empty=KNOWN,
        watched_alarms=FUNCTION_ALARMS,
        watch_minutes=settings().deploy_watch_minutes,
    )
    # In parallel with the next tasks, which change neither streams nor functions nor Firehose.
    probe = ProbeArchiveOperator(
        task_id="probe_archive",
        bucket=outputs(stack)["TelemetryBucketName"],
        patience=timedelta(seconds=2 * settings().archive_interval_seconds + 60),
    )
    parameters = {
        **CHOSEN,
        "external_id": settings().snowflake_external_id,
        "storage_role_arn": outputs(stack)["SnowflakeRoleArn"],
        "telemetry_bucket": outputs(stack)["TelemetryBucketName"],
    }
    # Up to the storage integration, and the tables.
    integration = ProvisionSnowflakeOperator(
        task_id="create_integration",
        ddl="ddl/0[1-5]*.sql",
        required=tuple(OF_INTEGRATION),
        parameters=parameters,
        multiple_outputs=True,
    )
    # The queue that the bucket may notify already stays.
    trusting = deploy("trust_snowflake", integration, before)
    # The pipe, which may read the bucket from the moment it exists, and the objects after it.
    pipe = ProvisionSnowflakeOperator(
        task_id="create_pipe", ddl="ddl/0[6-9]*.sql", parameters=parameters, multiple_outputs=True
    )
    governed = GovernSnowflakeOperator(
        task_id="govern_snowflake",
        scripts=snowflake_governance.scripts(settings()),
        parameters=snowflake_governance.parameters(settings()),
    )
    # A new stack is protected last: CloudFormation could not roll back a creation that failed half way.
    notifying = deploy(
        "notify_snowpipe", pipe, pipe, protected=settings().deletion_protection, stack_policy=str(STACK_POLICY)
    )

    # What landed before the bucket notified the pipe.
    refresh = RefreshPipeOperator(task_id="refresh_pipe")

    @task
    def store_outputs(stack_outputs: dict[str, str]) -> None:
        """Store the stack's outputs in the Variable that the other DAGs and every alert read."""
        Variable.set(names.STACK_OUTPUTS_VARIABLE, stack_outputs, serialize_json=True)

    verify = VerifyPipelineOperator(
        task_id="verify",
        bucket=settings().telemetry_bucket,
        queue_arn=outputs(pipe)["SnowpipeQueueArn"],
        alert_topic_arn=outputs(notifying)["AlertTopicArn"],
        mappings_enabled=settings().event_source_mappings_enabled,
    )
    trusting >> pipe >> governed
    [governed, probe, store_outputs(outputs(notifying)), notifying >> refresh] >> verify
