"""provision_resources and teardown_resources from start to end, on their own MiniStack and local Snowflake."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.models.variable import Variable
from airflow.sdk.exceptions import ParamValidationError
from snowflake.connector import DictCursor

from include import names
from include.local.aws.ministack import REGION
from include.local.demo.aws_administrator import create_identities
from include.local.snowflake.tls import TlsFiles
from include.settings import settings
from lambdas.bundle import local_target
from tests.fixtures.delivery import delivering
from tests.fixtures.deploy_guide import (
    aws_connections,
    environment_of,
    identities_parameters,
    identities_sql,
    snowflake_connections,
)
from tests.fixtures.ministack import EnforcingMiniStack
from tests.fixtures.snowflake import LocalSnowflake
from tests.fixtures.waiting import wait_for

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
DAGS = ROOT / "dags"
TELEMETRY_BUCKET = "kinesis-telemetry-data-bucket"
STACK = "clicks-to-deliveries"


class Administrator:
    """Deploys the identities as docs/deploy.md says, and nothing else."""

    def __init__(self, account: EnforcingMiniStack, credentials: Path) -> None:
        self._account = account
        self._credentials = credentials

    def deploy_identities(self, **parameters: str) -> dict[str, str]:
        """Return the outputs of the stack."""
        names_of_this_account = {
            "StackName": STACK,
            "TelemetryBucketName": TELEMETRY_BUCKET,
            "DeploymentBucketName": "deployment-bucket-of-tests",
        }
        principals = {"AirflowPrincipalArn", "DashboardPrincipalArn"}  # create_identities adds them.
        assert identities_parameters().keys() == names_of_this_account.keys() | principals
        create_identities(self._account.client, self._credentials, names_of_this_account | parameters)
        stacks = self._account.client("cloudformation").describe_stacks(StackName=f"{STACK}-identities")
        return {each["OutputKey"]: each["OutputValue"] for each in stacks["Stacks"][0]["Outputs"]}


@pytest.fixture
def administrator(enforcing_ministack: EnforcingMiniStack, tmp_path: Path) -> Administrator:
    return Administrator(enforcing_ministack, tmp_path / "aws-credentials")


@pytest.fixture
def server(
    enforcing_ministack: EnforcingMiniStack,
    administrator: Administrator,
    snowflake_tls: TlsFiles,
    airflow_database: None,
    tmp_path: Path,
) -> Iterator[LocalSnowflake]:
    """An empty Snowflake account; Airflow's connections are those that docs/deploy.md has a reader create."""
    root = enforcing_ministack.environment
    server = LocalSnowflake(tmp_path / "warehouse", snowflake_tls, root)
    server.start()
    with server.connect() as connection:
        connection.execute_string(identities_sql(server.keys), remove_comments=True)
    machine = {name: value for name, value in root.items() if not name.startswith(("AWS_ACCESS", "AWS_SECRET"))}
    machine["AWS_SHARED_CREDENTIALS_FILE"] = str(tmp_path / "aws-credentials")
    identities = {
        **aws_connections(administrator.deploy_identities(), REGION),
        **environment_of(snowflake_connections(server.keys, server.port)),
        "REQUESTS_CA_BUNDLE": str(server.tls.bundle),
    }
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
                patch.delenv(name, raising=False)
            for name, value in {**machine, **identities}.items():
                patch.setenv(name, value)
            # The other DAG tests set it in the environment; here the DAG must store it.
            patch.delenv(f"AIRFLOW_VAR_{names.STACK_OUTPUTS_VARIABLE.upper()}", raising=False)
            yield server
    finally:
        server.kill()


@pytest.fixture
def deliveries(enforcing_ministack: Any, tmp_path: Path) -> Iterator[None]:
    """Does what AWS does by itself: invokes the mappings' functions and archives as Firehose."""
    with delivering(enforcing_ministack.environment, tmp_path):
        yield


@pytest.fixture
def bag(monkeypatch: pytest.MonkeyPatch) -> DagBag:
    version, platform = local_target()
    # The functions run on this machine, so their bundles must too.
    monkeypatch.setenv("CTD_LAMBDA_RUNTIME", f"python{version}")
    monkeypatch.setenv("CTD_BUNDLE_PLATFORM", platform)
    monkeypatch.setenv("CTD_ARCHIVE_INTERVAL_SECONDS", "0")
    monkeypatch.setenv("CTD_EVENT_SOURCE_MAPPINGS_ENABLED", "false")
    monkeypatch.setenv("CTD_ALERT_EMAIL", "on-call@example.com")
    settings.cache_clear()
    try:
        return _bag()
    finally:
        settings.cache_clear()


def _bag() -> DagBag:
    bag = DagBag(DAGS, collect_dags=True, bundle_path=DAGS)
    for dag in bag.dags.values():
        for task in dag.tasks:
            # A failure here fails the test immediately.
            task.retries = 0
    return bag


MINUTES = count(1)


def run(bag: DagBag, dag_id: str, **conf: Any) -> str:
    moment = datetime(2026, 11, 23, tzinfo=UTC) + timedelta(minutes=next(MINUTES))
    return str(bag.dags[dag_id].test(run_after=moment, logical_date=moment, run_conf=conf).state)


def world(ministack: Any, server: Any) -> dict[str, Any]:
    """Everything that a second run must not change."""
    stacks = ministack.client("cloudformation")
    s3 = ministack.client("s3")
    bundles = s3.list_objects_v2(Bucket="deployment-bucket-of-tests", Prefix="lambda/")["Contents"]
    with server.connect(database=names.DATABASE, schema=names.SCHEMA) as connection:
        integration = connection.cursor().execute(f"desc integration {names.STORAGE_INTEGRATION}").fetchall()
        pipe = connection.cursor().execute(f"desc pipe {names.PIPE}").fetchall()
        fleet = connection.cursor().execute(f"select * from {names.KNOWN_TRUCKS_TABLE}").fetchall()
    return {
        "events": len(stacks.describe_stack_events(StackName="clicks-to-deliveries")["StackEvents"]),
        "outputs": Variable.get(names.STACK_OUTPUTS_VARIABLE, deserialize_json=True),
        "bundles": {bundle["Key"]: bundle["LastModified"] for bundle in bundles},
        "notified": s3.get_bucket_notification_configuration(Bucket=TELEMETRY_BUCKET)["QueueConfigurations"],
        "integration": integration,
        "pipe": pipe,
        "fleet": sorted(fleet),
    }


def keys(ministack: Any, prefix: str) -> list[str]:
    listed = ministack.client("s3").list_objects_v2(Bucket=TELEMETRY_BUCKET, Prefix=prefix)
    return [entry["Key"] for entry in listed.get("Contents", [])]


@pytest.mark.verify
def test_provisioned_twice_the_second_changes_nothing_and_torn_down_only_when_confirmed(
    enforcing_ministack: Any, administrator: Administrator, server: Any, deliveries: None, bag: DagBag
) -> None:
    assert run(bag, "provision_resources") == "success"
    # The probes reached the archive, and none is left in quarantine.
    assert keys(enforcing_ministack, names.QUARANTINE_PREFIX) == []
    for stream in (names.CLICK_STREAM, names.TRUCK_STREAM):
        assert len(keys(enforcing_ministack, f"{names.RESOLVED_PREFIX}{stream}/")) == 1
        assert len(keys(enforcing_ministack, f"{names.ARCHIVE_PREFIX}{stream}/")) == 1
    first = world(enforcing_ministack, server)
    assert first["outputs"]["AlertTopicArn"].startswith("arn:aws:sns:")
    (notified,) = first["notified"]
    (queue,) = [value for row in first["pipe"] for value in row if str(value).startswith("arn:aws:sqs:")]
    assert notified["QueueArn"] == queue
    role = enforcing_ministack.client("iam").get_role(RoleName=first["outputs"]["SnowflakeRoleArn"].rpartition("/")[2])
    (external_id,) = [row[2] for row in first["integration"] if row[0] == "STORAGE_AWS_EXTERNAL_ID"]
    assert external_id in json.dumps(role["Role"]["AssumeRolePolicyDocument"])

    assert run(bag, "provision_resources") == "success"
    assert world(enforcing_ministack, server) == first

    # A role that sees too little is refused, and takes neither the trust nor the notification away.
    with server.connect() as connection:
        for kind, name, owner in (
            ("integration", names.STORAGE_INTEGRATION, names.DEPLOYER_ROLE),
            ("pipe", f"{names.DATABASE}.{names.SCHEMA}.{names.PIPE}", names.LOADER_ROLE),
        ):
            connection.cursor().execute(f"grant ownership on {kind} {name} to role SYSADMIN revoke current grants")
            assert run(bag, "provision_resources") == "failed"
            connection.cursor().execute(f"grant ownership on {kind} {name} to role {owner}")
    assert run(bag, "provision_resources") == "success"
    assert world(enforcing_ministack, server) == first

    # A file that was announced to nobody is loaded by the next run.
    rule = {"Bucket": TELEMETRY_BUCKET, "NotificationConfiguration": {"QueueConfigurations": first["notified"]}}
    s3 = enforcing_ministack.client("s3")
    s3.put_bucket_notification_configuration(Bucket=TELEMETRY_BUCKET, NotificationConfiguration={})
    line = dict.fromkeys(("truck_id", "stream_name", "shard_id", "sequence_number"), "UNANNOUNCED")
    line |= dict.fromkeys(("event_time", "arrival_time"), datetime.now(UTC).replace(tzinfo=None).isoformat())
    s3.put_object(
        Bucket=TELEMETRY_BUCKET, Key=f"{names.LANDING_PREFIX}gap.json.gz", Body=gzip.compress(json.dumps(line).encode())
    )
    s3.put_bucket_notification_configuration(**rule)
    assert bag.dags["provision_resources"].get_task("refresh_pipe").execute({}) == 1
    with server.connect_as("deployer") as connection:
        loaded = f"select TRUCK_ID from {names.RAW_TABLE}"
        wait_for(lambda: connection.cursor().execute(loaded).fetchall() == [("UNANNOUNCED",)], "the file of the gap")
        connection.cursor().execute(f"delete from {names.RAW_TABLE}")
    s3.delete_object(Bucket=TELEMETRY_BUCKET, Key=f"{names.LANDING_PREFIX}gap.json.gz")

    # As a deployment of an older version: its first task brings RAW and the pipe up to date, before the functions.
    with server.connect_as("deployer") as connection:
        (pipe,) = connection.cursor(DictCursor).execute(f"desc pipe {names.PIPE}").fetchall()
        older = re.sub(r",\s*(\$1:)?sub_sequence_number(::integer)?", "", pipe["definition"], flags=re.IGNORECASE)
        connection.cursor().execute(f"use role {names.LOADER_ROLE}")
        connection.cursor().execute(f"create or replace pipe {names.PIPE} auto_ingest = true as {older}")
        connection.cursor().execute(f"use role {names.DEPLOYER_ROLE}")
        connection.cursor().execute(f"alter table {names.RAW_TABLE} drop column SUB_SEQUENCE_NUMBER")
        bag.dags["provision_resources"].get_task("upgrade_snowflake").execute({})
        (replaced,) = connection.cursor(DictCursor).execute(f"desc pipe {names.PIPE}").fetchall()
        assert replaced | {"created_on": None} == pipe | {"created_on": None}
        assert connection.cursor().execute(f"select SUB_SEQUENCE_NUMBER from {names.RAW_TABLE}").fetchall() == []

    # Nobody gets the alerts any more.
    sns = enforcing_ministack.client("sns")
    (subscription,) = sns.list_subscriptions()["Subscriptions"]
    sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    verify = bag.dags["provision_resources"].get_task("verify")
    verify.queue_arn, verify.alert_topic_arn = first["notified"][0]["QueueArn"], first["outputs"]["AlertTopicArn"]
    with pytest.raises(RuntimeError, match=r"^somebody gets the alerts .* is False, not True$"):
        verify.execute({})

    first = world(enforcing_ministack, server)
    s3.put_object(Bucket=TELEMETRY_BUCKET, Key="quarantine/one", Body=b"kept")
    with pytest.raises(ParamValidationError):
        run(bag, "teardown_resources", confirm="another-stack")
    assert run(bag, "teardown_resources", confirm="clicks-to-deliveries") == "failed"
    assert world(enforcing_ministack, server) == first
    assert s3.get_object(Bucket=TELEMETRY_BUCKET, Key="quarantine/one")["Body"].read() == b"kept"

    # Not without the administrator, who allows it for as long as it takes.
    assert run(bag, "teardown_resources", confirm="clicks-to-deliveries", empty_bucket=True) == "failed"
    assert world(enforcing_ministack, server) == first
    assert s3.get_object(Bucket=TELEMETRY_BUCKET, Key="quarantine/one")["Body"].read() == b"kept"
    administrator.deploy_identities(Teardown="true")
    assert run(bag, "teardown_resources", confirm="clicks-to-deliveries", empty_bucket=True) == "success"
    assert enforcing_ministack.client("kinesis").list_streams()["StreamNames"] == []
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["deployment-bucket-of-tests"]
    with server.connect(database=names.DATABASE, schema=names.SCHEMA) as connection:
        assert connection.cursor().execute(f"select count(*) from {names.HISTORY_TABLE}").fetchone() == (0,)
    assert run(bag, "teardown_resources", confirm="clicks-to-deliveries", drop_snowflake=True) == "success"
    with server.connect(database=names.DATABASE, schema=names.SCHEMA) as connection:
        assert connection.cursor().execute("show pipes").fetchall() == []
