"""The settings that differ between deployments, read from the environment in one place.

A laptop and an AWS account run the same code with different settings.  Connections (AWS, Snowflake) are Airflow's.
Names that no setting but the environment changes are in include/names.py.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Literal

import msgspec

from include import names
from include.contracts import MetricPolicyError, read_metric_policy
from include.naming import EnvironmentNameError, aws, read_environment

PREFIX = "CTD_"

Approval = Literal["second-person", "anyone", "none"]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]

# A browser gets its host in a header, so it has none of the characters that mean something there.
TileAddress = Annotated[
    str, msgspec.Meta(pattern=r"^(https?://[A-Za-z0-9.:\[\]-]+/(?=.*\{z\})(?=.*\{x\})(?=.*\{y\})[^\s;,'\"]*)?$")
]

# Names and IPv4 addresses or ranges, separated by commas.
SNOWFLAKE_NAMES = r"^( *[A-Za-z_][A-Za-z0-9_$]* *(, *[A-Za-z_][A-Za-z0-9_$]* *)*)?$"
ADDRESSES = r"^( *\d{1,3}(\.\d{1,3}){3}(/\d{1,2})? *(, *\d{1,3}(\.\d{1,3}){3}(/\d{1,2})? *)*)?$"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Each field is the environment variable ``CTD_<FIELD>``.  A field without a default must be set."""

    # Begins every name of both clouds and of Airflow, those of the next three settings included, so that one account
    # holds any number of environments (include/naming.py).
    environment: str = ""

    # Where provision_resources uploads the Lambda bundles; created if missing.  S3 names are global.
    deployment_bucket: str
    # A second bucket has "-abandoned" behind its name, and S3 allows 63 characters.
    telemetry_bucket: Annotated[str, msgspec.Meta(max_length=53)] = "kinesis-telemetry-data-bucket"
    stack_name: str = "clicks-to-deliveries"
    # Outputs StackRoleArn and PermissionsBoundaryArn of include/cloudformation/identities.yaml: the role with which
    # CloudFormation changes the stack (unset: the deployer's own rights), and the limit of the roles that it makes.
    stack_role_arn: str = ""
    permissions_boundary_arn: str = ""
    # Tags of the stack and its resources: key=value, separated by commas.
    stack_tags: Annotated[str, msgspec.Meta(pattern=r"^([^=,]+=[^=,]*(,[^=,]+=[^=,]*)*)?$")] = (
        "project=clicks-to-deliveries"
    )
    # Whether tables, streams, buckets and stack are protected from deletion and replacement.
    deletion_protection: bool = True
    # How long an update of the stack is watched, in minutes: it is rolled back if an alarm of a function fires.
    deploy_watch_minutes: Annotated[int, msgspec.Meta(ge=0, le=180)] = 10

    # The Lambda runtime, and the platform for which compiled dependencies are bundled (a --python-platform of uv).
    lambda_runtime: str = "python3.13"
    lambda_architecture: str = "arm64"
    bundle_platform: str = "aarch64-manylinux_2_28"

    click_shards: Positive = 1
    truck_shards: Positive = 1
    # The number of partitions of the click index over which one item's clicks of one hour are spread.
    click_index_shards: Positive = 1
    event_source_mappings_enabled: bool = True
    # How long a batch of clicks, and one of readings, waits for more records at most, in seconds.  Each batch of
    # readings is a landing file.
    batching_window_seconds: Annotated[int, msgspec.Meta(ge=0, le=300)] = 1
    truck_batching_window_seconds: Annotated[int, msgspec.Meta(ge=0, le=300)] = 10
    # Whether AWS chooses the number of shards; click_shards and truck_shards then mean nothing.
    streams_on_demand: bool = False
    # Memory of the stream processors, which decides their share of a CPU, and how many batches of a shard they process
    # at the same time (docs/load.md).
    processor_memory_mb: Annotated[int, msgspec.Meta(ge=256, le=10240)] = 1024
    processor_lanes: Annotated[int, msgspec.Meta(ge=1, le=10)] = 1
    # Concurrent executions that are reserved for the API, which never gets more, and whether any are reserved: an
    # account keeps at least 100 for everything else, so one with a low limit can't.
    api_concurrency: Positive = 100
    reserved_concurrency: bool = True
    # How long Firehose collects records for the raw archive, in seconds: before it transforms them, and again before it
    # stores an object.  A short interval makes many small objects.  Twice the longest fits into the ledger's grace (15
    # minutes, include/ledger/reconciliation.py) and into the time that provisioning waits for a probe.
    archive_interval_seconds: Annotated[int, msgspec.Meta(ge=0, le=300)] = 60

    # Days after its time that a click is deleted from ClickStreamData; 0 keeps clicks.  The archive has them all.
    click_ttl_days: Annotated[int, msgspec.Meta(ge=0, le=3650)] = 0

    # Metrics that are NULL where a reading has them outside their range; unset: such a reading goes into quarantine.
    # Both texts are read by include/contracts/metric_policy_text.py.
    null_out_of_range: str = ""
    # Decimals that metrics are rounded to; unset: as sent.
    metric_decimals: str = ""

    # Unset keeps what the stack has, or takes the template's default where there is no stack yet: a value that somebody
    # set in the stack itself, such as a longer retention during an outage, is not undone.
    alert_email: str | None = None
    quarantine_alarm_threshold: Positive | None = None
    stream_retention_hours: Annotated[int, msgspec.Meta(ge=24, le=8760)] | None = None
    max_event_age_seconds: Positive | None = None
    api_rate_limit: Positive | None = None
    api_burst_limit: Positive | None = None
    api_access_log: bool | None = None

    # How callers of the API show who they are besides their key, and whether each has only its trucks (docs/api.md).
    api_authorization: Literal["key", "iam", "jwt"] = "key"
    api_bind_callers: bool = True
    # With jwt: ARNs of Cognito user pools, separated by commas, and the claim that names the caller's trucks (unset:
    # the table ApiCallers does).
    api_user_pools: str = ""
    api_trucks_claim: str = ""
    # ARN of the web ACL that protects the API; unset: none.
    api_web_acl: str = ""
    # The URL of the APIs, if it is not AWS's execute-api; <api id>/<stage> is appended to it.
    api_endpoint: str = ""

    # How long a run of scd2_merge, data_quality and monitor_snowpipe goes on, in minutes, with many merges or checks.
    # 0: each merge and check is a run of its own.
    run_minutes: Annotated[int, msgspec.Meta(ge=0, le=60)] = 60
    # The shortest time between the starts of two merges while data keeps coming, so that the warehouse can suspend.
    merge_min_interval_seconds: Positive = 150
    # The shortest time between two checks of the quality rules while data keeps coming.
    quality_min_interval_seconds: Annotated[int, msgspec.Meta(ge=0)] = 300
    # Whether Snowflake keeps RAW and the history sorted by their clustering keys, which pays for large tables only.
    automatic_clustering: bool = False
    # When monitor_snowpipe runs: a cron expression.
    monitor_schedule: str = "*/5 * * * *"

    # What a Snowflake shop expects (docs/snowflake-governance.md).  These need no special edition: after how long a
    # statement gives up waiting for a warehouse, in seconds (0: never); a secure view of the history for consumers;
    # whether the pipeline's users log in with their keys only, and from which addresses (unset: any); credits a month
    # after which both warehouses are suspended (unset: no limit); and the notification integration that Snowpipe
    # reports files to that it did not load.
    snowflake_queued_timeout_seconds: Annotated[int, msgspec.Meta(ge=0, le=604_800)] = 600
    snowflake_consumer_view: bool = True
    snowflake_key_pair_only: bool = True
    snowflake_allowed_ips: Annotated[str, msgspec.Meta(pattern=ADDRESSES)] = ""
    snowflake_credit_quota: Positive | None = None
    snowflake_error_integration: Annotated[str, msgspec.Meta(pattern=SNOWFLAKE_NAMES)] = ""
    # The Enterprise Edition: whether positions are masked, and the roles beside the pipeline's own that see them.
    snowflake_mask_positions: bool = False
    snowflake_position_roles: Annotated[str, msgspec.Meta(pattern=SNOWFLAKE_NAMES)] = ""
    # The external id of a storage integration that is yet to be created (unset: Snowflake chooses), and the IAM user of
    # the Snowflake account.  With both, the role in AWS trusts Snowflake from the first deployment on.
    snowflake_external_id: Annotated[str, msgspec.Meta(pattern=r"^([A-Za-z0-9+=,.@:/_-]{2,1224})?$")] = ""
    snowflake_user_arn: Annotated[str, msgspec.Meta(pattern=r"^(arn:aws[a-z-]*:iam::\d{12}:user/.+)?$")] = ""

    # The accounts in the addresses of Airflow's assets, such as myorg-prod and 123456789012; unset: ids of connections.
    snowflake_account: str = ""
    aws_account: str = ""
    # How long Airflow keeps its own runs, tasks, asset events and log entries, in days.
    metadata_retention_days: Positive = 30
    # Quality rules of severity warn that are not checked: their names, separated by commas.
    quality_rules_off: str = ""
    # The address of Airflow's web pages, for the dashboard's links to runs; unset: no links.
    airflow_url: str = ""
    # Who must approve before erase_truck and teardown_resources delete: somebody who did not start the run, anyone, or
    # nobody.
    approval: Approval = "second-person"
    # Roles of Airflow's FAB auth manager, separated by commas, that get the rights to erase_truck and
    # teardown_resources; the roles must exist.
    airflow_danger_roles: str = ""
    # The addresses in alerts: the dashboard, and the page under which the repository's files are shown (such as
    # https://github.com/example/clicks-to-deliveries/blob/main), for runbooks; unset: no link, and the file's path.
    dashboard_url: str = ""
    repository_url: str = ""
    # Who is notified: ids of Airflow connections, separated by commas.  Their types are channels
    # (clicks_to_deliveries/notifiers/channels.py): aws (the stack's topic), slackwebhook, pagerduty_events, smtp.
    alert_channels: str = names.AWS_CONNECTION
    # The address of the dashboard's map tiles, with {z}, {x} and {y}; unset: land and borders of the dashboard's own.
    dashboard_tiles: TileAddress = ""
    # How long the dashboard waits for a store's answer, in seconds, before it says that the store is unreachable.
    dashboard_timeout_seconds: Positive = 5
    # Who may see the dashboard, if people sign in to it: rules such as "groups=operators, email=*@example.com", read by
    # dashboard/access/roles.py, and how long a session lasts at most.
    dashboard_operators: str = ""
    dashboard_readers: str = ""
    dashboard_session_hours: Positive = 12

    # Synthetic traffic: a cron expression (unset: only when triggered), its rates, and the share of it as
    # real devices and other producers send it (include/generator/field_cases.py).
    traffic_schedule: str | None = None
    traffic_clicks_per_second: Positive = 10
    traffic_readings_per_second: Positive = 10
    traffic_field_share: Share = 0.0

    @property
    def tags(self) -> dict[str, str]:
        """The tags of the stack, with the environment if there is one."""
        pairs = (pair.partition("=") for pair in self.stack_tags.split(",") if pair)
        environment = {"environment": self.environment} if self.environment else {}
        return environment | {key.strip(): value.strip() for key, _, value in pairs}

    @property
    def archive_concurrency(self) -> int:
        """Concurrent executions for the raw archive: twice the five that Firehose makes per shard."""
        return max(20, 10 * (self.click_shards + self.truck_shards))

    @property
    def max_record_age_seconds(self) -> int | None:
        """How long a record holds its shard: an hour less than its stream keeps it, a week at most; None if unset."""
        hours = self.stream_retention_hours
        return None if hours is None else min((hours - 1) * 3600, 604_800)


# CloudFormation names a role <stack>-<logical id>-<12 characters>, and shortens both parts if that is more than the 64
# characters that IAM allows.  The stack role may make roles only if their names begin with the whole name of the stack.
LONGEST_STACK_NAME = 31

# The settings that are names in AWS.
_NAMES = ("deployment_bucket", "telemetry_bucket", "stack_name")


class SettingsError(ValueError):
    """A setting is missing or unusable; the message names the environment variable."""


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Settings from ``environ``.

    Raises:
        SettingsError: a required variable is missing, a value has the wrong type, or an unknown CTD_ variable is set
            (probably misspelt, and silently ignored otherwise).
    """
    given = {name.removeprefix(PREFIX).lower(): value for name, value in environ.items() if name.startswith(PREFIX)}
    fields = {field.name: field for field in msgspec.structs.fields(Settings)}
    if unknown := sorted(given.keys() - fields.keys()):
        raise SettingsError(f"unknown setting {PREFIX}{unknown[0].upper()}; known are {_variables(fields)}")
    if missing := [name for name, field in fields.items() if field.required and not given.get(name)]:
        raise SettingsError(f"missing setting {PREFIX}{missing[0].upper()}: set it in the environment")
    values = {name: value for name, value in given.items() if value != ""}
    try:
        environment = read_environment(environ)
        values |= {name: aws(values.get(name) or fields[name].default, environment) for name in _NAMES}
        read = msgspec.convert(values, Settings, strict=False)
        # Functions that can't read their policy do not start: refuse it before it is deployed.
        read_metric_policy(read.null_out_of_range, read.metric_decimals)
        if read.stack_role_arn and len(read.stack_name) > LONGEST_STACK_NAME:
            raise SettingsError(
                f"{PREFIX}STACK_NAME is {read.stack_name!r} with the environment. With {PREFIX}STACK_ROLE_ARN it has at"
                f" most {LONGEST_STACK_NAME} characters, or the stack role may not make the roles: set a shorter one"
            )
        if read.api_authorization == "jwt" and not read.api_user_pools:
            raise SettingsError(f"missing setting {PREFIX}API_USER_POOLS: {PREFIX}API_AUTHORIZATION=jwt needs it")
    except (msgspec.ValidationError, MetricPolicyError, EnvironmentNameError) as error:
        raise SettingsError(f"unusable setting: {error} (settings are the {PREFIX}* environment variables)") from error
    return read


@cache
def settings() -> Settings:
    """The settings of this process."""
    return read_settings(os.environ)


def _variables(fields: Mapping[str, object]) -> str:
    return ", ".join(f"{PREFIX}{name.upper()}" for name in fields)
