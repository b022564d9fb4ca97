"""The identities of Airflow's jobs and of the dashboard: each can do its work, and nothing beside it.

As for the roles of the pipeline (test_roles.py): the calls that work use exactly the granted actions.
"""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from include import names
from include.local.demo import aws_administrator
from tests.fixtures.deployment import CODE_BUCKET, STACK
from tests.integration.least_privilege.calls import (
    BUCKET,
    DENIED,
    PREFIXES,
    Call,
    batch_get,
    call,
    cases,
    delete,
    delete_item,
    get,
    get_item,
    get_iterator,
    get_version,
    invoke,
    list_objects,
    partiql,
    publish_alert,
    put,
    put_item,
    put_records,
    query,
    scan,
)

pytestmark = pytest.mark.integration

ROLES = {
    "run": "RunRole",
    "replay": "ReplayRole",
    "erase": "EraseRole",
    "dashboard": "DashboardRole",
    "traffic": "TrafficRole",
    "deploy": "DeployRole",
}
STREAMS = (names.CLICK_STREAM, names.TRUCK_STREAM)
TABLES = (names.CLICK_TABLE, names.CLICK_ITEM_TABLE, names.TRUCK_STATE_TABLE, names.API_CALLER_TABLE)
FUNCTIONS = (
    names.CLICK_FUNCTION,
    names.TRUCK_FUNCTION,
    names.INTAKE_FUNCTION,
    names.API_FUNCTION,
    names.ARCHIVE_FUNCTION,
)
ABANDONED = names.abandoned_bucket(BUCKET)
# Where a reading can be: in the click stream, too, if it was sent there.
HOLD_READINGS = tuple(prefix for prefix in PREFIXES if prefix != names.RESOLVED_PREFIX)
RESOLVED = tuple(f"{names.RESOLVED_PREFIX}{stream}/" for stream in STREAMS)
CLICK_ARCHIVE = f"{names.ARCHIVE_PREFIX}{names.CLICK_STREAM}/"
# Of each prefix that has streams, that of a stream that is not the pipeline's.
OTHER_STREAMS = tuple(
    f"{prefix}AnotherStream/"
    for prefix in (
        names.QUARANTINE_PREFIX,
        names.RESOLVED_PREFIX,
        names.ARCHIVE_PREFIX,
        names.ARCHIVE_ERROR_PREFIX,
    )
)


# --- Calls of these jobs alone ----------------------------------------------------------------------------------------
def topic(account: Any) -> str:
    return account.ids["AlertTopic"]


def count_subscribers() -> Call:
    return call("sns", "list_subscriptions_by_topic", names.ALERT_TOPIC, TopicArn=topic)


def put_metric(namespace: str) -> Call:
    data = [{"MetricName": names.SCHEDULER_HEARTBEAT, "Value": 1}]
    return call("cloudwatch", "put_metric_data", namespace, Namespace=namespace, MetricData=data)


def query_index() -> Call:
    condition = {"KeyConditionExpression": "#k = :k", "ExpressionAttributeNames": {"#k": "Item_Hour_Shard"}}
    values = {":k": {"S": "MOB001#2026-11-22T14#0"}}
    return call(
        "dynamodb",
        "query",
        names.CLICK_INDEX,
        TableName=names.CLICK_TABLE,
        IndexName=names.CLICK_INDEX,
        ExpressionAttributeValues=values,
        **condition,
    )


def put_record(stream: str) -> Call:
    return call("kinesis", "put_record", stream, StreamName=stream, Data=b"{}", PartitionKey="key")


def list_shards(stream: str) -> Call:
    return call("kinesis", "list_shards", stream, StreamName=stream)


def list_versions(prefix: str) -> Call:
    bucket = ABANDONED if prefix.startswith(names.ON_FAILURE_PREFIX) else BUCKET
    return call(
        "s3", "list_object_versions", prefix or "all", Bucket=bucket, Prefix=prefix, action="s3:ListBucketVersions"
    )


def delete_version(key: str) -> Call:
    bucket = ABANDONED if key.startswith(names.ON_FAILURE_PREFIX) else BUCKET

    def version(account: Any) -> str:
        # A version of its own each time: the call is made twice.
        return account.client("s3").put_object(Bucket=bucket, Key=key, Body=b"x").get("VersionId", "null")

    return call(
        "s3",
        "delete_object",
        f"version of {key}",
        Bucket=bucket,
        Key=key,
        VersionId=version,
        action="s3:DeleteObjectVersion",
    )


def list_mappings() -> Call:
    return call("lambda", "list_event_source_mappings", "", FunctionName=names.CLICK_FUNCTION)


def get_metrics() -> Call:
    stat = {"Metric": {"Namespace": "AWS/Lambda", "MetricName": "IteratorAge"}, "Period": 60, "Stat": "Maximum"}
    queries = [{"Id": "age", "MetricStat": stat}]
    return call(
        "cloudwatch", "get_metric_data", "", MetricDataQueries=queries, StartTime=1795357800, EndTime=1795357860
    )


def stack(operation: str, **more: Any) -> Call:
    return call("cloudformation", operation, STACK, StackName=STACK, **more)


def become(job: str) -> Call:
    role = aws_administrator.role_arn(STACK, job)
    return call("sts", "assume_role", job, RoleArn=role, RoleSessionName="test")


def change_set(role: str | None, name: str = "of-the-test") -> Call:
    """Asks CloudFormation to prepare a change as ``role``; None: with the stack's parameters and no role."""

    def fresh(account: Any) -> str:
        account.client("cloudformation").delete_change_set(StackName=STACK, ChangeSetName=name)
        return name

    def kept(account: Any) -> list[dict[str, Any]]:
        parameters = account.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]["Parameters"]
        return [{"ParameterKey": each["ParameterKey"], "UsePreviousValue": True} for each in parameters]

    return call(
        "cloudformation",
        "create_change_set",
        f"as {role}",
        StackName=STACK,
        ChangeSetName=fresh,
        UsePreviousTemplate=True,
        Capabilities=["CAPABILITY_IAM"],
        Parameters=kept,
        **({"RoleARN": role} if role else {}),
    )


def code(operation: str, key: str) -> Call:
    more = {"Body": b"x"} if operation == "put_object" else {}
    return call("s3", operation, f"{CODE_BUCKET}/{key}", Bucket=CODE_BUCKET, Key=key, **more)


def configure(operation: str, bucket: str = CODE_BUCKET, **more: Any) -> Call:
    actions = {
        "create_bucket": "s3:CreateBucket",
        "put_public_access_block": "s3:PutBucketPublicAccessBlock",
        "put_bucket_encryption": "s3:PutEncryptionConfiguration",
        "get_bucket_notification_configuration": "s3:GetBucketNotification",
        "list_objects_v2": "s3:ListBucket",
        "put_bucket_policy": "s3:PutBucketPolicy",
        "delete_bucket": "s3:DeleteBucket",
    }
    return call("s3", operation, bucket, action=actions[operation], Bucket=bucket, **more)


BLOCK = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}
ENCRYPTION = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
EVERY_UPDATE = '{"Statement": [{"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}]}'
NO_ONE = '{"Version": "2012-10-17", "Statement": []}'
# A change of rights or of the pipeline itself, which is nobody's job but CloudFormation's.
POWER = [
    call("iam", "create_user", "", UserName="intruder", action="iam:CreateUser"),
    call(
        "iam",
        "attach_role_policy",
        "",
        RoleName=f"{STACK}-run",
        PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess",
    ),
    call("iam", "put_role_policy", "", RoleName=f"{STACK}-run", PolicyName="more", PolicyDocument=NO_ONE),
    configure("put_bucket_policy", BUCKET, Policy=NO_ONE),
    call("lambda", "update_function_configuration", "", FunctionName=names.CLICK_FUNCTION, MemorySize=512),
    call("dynamodb", "delete_table", "", TableName="NoSuchTable"),
]
NO_DATA_WRITTEN = [
    *(put_item(table) for table in TABLES),
    *(delete_item(table) for table in TABLES),
    *(partiql(verb, table) for verb in ("Update", "Delete") for table in TABLES),
    *(put_records(stream) for stream in STREAMS),
    *(get_iterator(stream) for stream in STREAMS),
]

# --- The table --------------------------------------------------------------------------------------------------------
QUARANTINE_PREFIXES = (names.QUARANTINE_PREFIX, names.RESOLVED_PREFIX)
QUARANTINE = tuple(f"{prefix}{stream}/" for prefix in QUARANTINE_PREFIXES for stream in STREAMS)
WORKS: dict[str, list[Call]] = {
    "run": [
        publish_alert(),
        count_subscribers(),
        put_metric(names.METRICS_NAMESPACE),
        *(list_objects(prefix) for prefix in PREFIXES),
        list_objects(names.ABANDONED_PREFIX),
        *(
            get(f"{prefix}present")
            for prefix in PREFIXES
            if not prefix.startswith((names.ARCHIVE_ERROR_PREFIX, "aws/"))
        ),
        get(f"{names.ABANDONED_PREFIX}present"),
        delete(f"{names.ABANDONED_PREFIX}expendable"),
        scan(names.TRUCK_STATE_TABLE),
        scan(names.CLICK_ITEM_TABLE),
        batch_get(names.CLICK_TABLE),
        query_index(),
    ],
    "replay": [
        *(list_objects(prefix) for prefix in QUARANTINE),
        *(list_objects(f"{names.ARCHIVE_PREFIX}{stream}/") for stream in STREAMS),
        list_objects(names.ON_FAILURE_PREFIX),
        *(get(f"{names.ARCHIVE_PREFIX}{stream}/present") for stream in STREAMS),
        get(f"{names.QUARANTINE_PREFIX}{names.CLICK_STREAM}/present"),
        put(f"{names.RESOLVED_PREFIX}{names.CLICK_STREAM}/object"),
        delete(f"{names.QUARANTINE_PREFIX}{names.CLICK_STREAM}/expendable"),
        invoke(names.CLICK_FUNCTION),
        invoke(names.TRUCK_FUNCTION),
        invoke(names.INTAKE_FUNCTION),
    ],
    "erase": [
        *(make(prefix) for prefix in (*HOLD_READINGS, *RESOLVED) for make in (list_objects, list_versions)),
        *(get(f"{prefix}present") for prefix in HOLD_READINGS),
        *(put(f"{prefix}object") for prefix in (*HOLD_READINGS, *RESOLVED)),
        *(delete(f"{prefix}expendable") for prefix in (*HOLD_READINGS, *RESOLVED)),
        *(get_version(f"{prefix}present") for prefix in (names.LANDING_PREFIX, CLICK_ARCHIVE)),
        *(delete_version(f"{prefix}expendable") for prefix in HOLD_READINGS),
        get_item(names.TRUCK_STATE_TABLE),
        delete_item(names.TRUCK_STATE_TABLE),
    ],
    "dashboard": [
        query_index(),
        scan(names.CLICK_ITEM_TABLE),
        scan(names.TRUCK_STATE_TABLE),
        list_objects(names.LANDING_PREFIX),
        get(f"{names.QUARANTINE_PREFIX}{names.CLICK_STREAM}/present"),
        get_metrics(),
        list_mappings(),
    ],
    "traffic": [put_records(stream) for stream in STREAMS],
    "deploy": [
        configure("create_bucket"),
        configure("list_objects_v2"),
        configure("put_public_access_block", PublicAccessBlockConfiguration=BLOCK),
        configure("put_bucket_encryption", ServerSideEncryptionConfiguration=ENCRYPTION),
        *(
            code(operation, f"{prefix}of-the-test")
            for operation in ("put_object", "get_object")
            for prefix in ("lambda/", "cloudformation/")
        ),
        change_set(aws_administrator.role_arn(STACK, "stack")),
        stack("describe_change_set", ChangeSetName="of-the-test"),
        stack("describe_stacks"),
        stack("describe_stack_events"),
        stack("get_template_summary"),
        stack("delete_change_set", ChangeSetName="of-the-test"),
        stack("describe_stack_resources"),
        stack("update_termination_protection", EnableTerminationProtection=False),
        stack("set_stack_policy", StackPolicyBody=EVERY_UPDATE),
        call("cloudwatch", "describe_alarms", ""),
        *(call("dynamodb", "describe_table", table, TableName=table) for table in TABLES),
        *(call("kinesis", "describe_stream_summary", stream, StreamName=stream) for stream in STREAMS),
        *(call("lambda", "get_function", function, FunctionName=function) for function in FUNCTIONS),
        list_mappings(),
        count_subscribers(),
        configure("get_bucket_notification_configuration", BUCKET),
        *(make(stream) for stream in STREAMS for make in (list_shards, put_record)),
        *(get(f"{names.ARCHIVE_PREFIX}{stream}/present") for stream in STREAMS),
        *(get(f"{prefix}present") for prefix in QUARANTINE[:2]),
        *(put(f"{prefix}object") for prefix in QUARANTINE),
        *(delete(f"{prefix}expendable") for prefix in QUARANTINE),
        # Of a teardown, which the administrator has allowed here.
        *(list_versions(prefix) for prefix in ("", names.ON_FAILURE_PREFIX)),
        *(delete_version(f"{prefix}expendable") for prefix in (names.LANDING_PREFIX, names.ON_FAILURE_PREFIX)),
    ],
}
# Granted, and used by tests/integration/test_provisioning.py: they would change the stack that the other tests use.
# CreateChangeSet asks for iam:PassRole, and DescribeEvents explains a change set that failed.
SHOWN_ELSEWHERE = {
    "deploy": {
        "cloudformation:DeleteStack",
        "cloudformation:DescribeEvents",
        "cloudformation:ExecuteChangeSet",
        "iam:PassRole",
    }
}

REFUSED: dict[str, list[Call]] = {
    "run": [
        *POWER,
        *NO_DATA_WRITTEN,
        *(put(f"{prefix}object") for prefix in PREFIXES),
        *(delete(f"{prefix}expendable") for prefix in PREFIXES),
        get(f"{names.ON_FAILURE_PREFIX}present"),
        get(f"{names.ARCHIVE_ERROR_PREFIX}{names.TRUCK_STREAM}/present"),
        get_version(f"{names.LANDING_PREFIX}present"),
        list_objects(),
        list_versions(names.LANDING_PREFIX),
        scan(names.CLICK_TABLE),
        query(names.CLICK_TABLE),
        put_metric("AWS/Lambda"),
        *(invoke(function) for function in FUNCTIONS),
        stack("describe_stacks"),
        *(become(job) for job in ROLES if job != "run"),
    ],
    "replay": [
        *POWER,
        *NO_DATA_WRITTEN,
        *(put(f"{prefix}object") for prefix in PREFIXES if not prefix.startswith("quarantine")),
        *(delete(f"{prefix}expendable") for prefix in PREFIXES if not prefix.startswith("quarantine")),
        get(f"{names.LANDING_PREFIX}present"),
        get(f"{names.ON_FAILURE_PREFIX}present"),
        get_version(f"{names.QUARANTINE_PREFIX}{names.TRUCK_STREAM}/present"),
        delete_version(f"{names.QUARANTINE_PREFIX}{names.TRUCK_STREAM}/expendable"),
        list_objects(),
        *(scan(table) for table in TABLES),
        invoke(names.API_FUNCTION),
        invoke(names.ARCHIVE_FUNCTION),
        publish_alert(),
        stack("describe_stacks"),
        *(become(job) for job in ROLES if job != "replay"),
    ],
    "erase": [
        *POWER,
        *(
            make(prefix)
            for prefix in ("", names.ARCHIVE_PREFIX, names.QUARANTINE_PREFIX, names.ABANDONED_PREFIX, *OTHER_STREAMS)
            for make in (list_objects, list_versions)
        ),
        get(f"{names.ABANDONED_PREFIX}present"),
        *(put(f"{prefix}object") for prefix in (names.ABANDONED_PREFIX, *OTHER_STREAMS)),
        *(delete(f"{prefix}expendable") for prefix in (names.ABANDONED_PREFIX, *OTHER_STREAMS)),
        put_item(names.TRUCK_STATE_TABLE),
        scan(names.TRUCK_STATE_TABLE),
        *(make(table) for table in TABLES[:2] for make in (get_item, delete_item, scan)),
        *(put_records(stream) for stream in STREAMS),
        *(get_iterator(stream) for stream in STREAMS),
        *(invoke(function) for function in FUNCTIONS),
        publish_alert(),
        stack("describe_stacks"),
        *(become(job) for job in ROLES if job != "erase"),
    ],
    "dashboard": [
        *POWER,
        *NO_DATA_WRITTEN,
        scan(names.CLICK_TABLE),
        *(get_item(table) for table in TABLES),
        *(get(f"{prefix}present") for prefix in PREFIXES if not prefix.startswith(names.QUARANTINE_PREFIX)),
        *(put(f"{prefix}object") for prefix in PREFIXES),
        *(delete(f"{prefix}expendable") for prefix in PREFIXES),
        list_objects(names.ON_FAILURE_PREFIX),
        *(invoke(function) for function in FUNCTIONS),
        publish_alert(),
        put_metric(names.METRICS_NAMESPACE),
        stack("describe_stacks"),
        *(become(job) for job in ROLES if job != "dashboard"),
    ],
    "traffic": [
        *POWER,
        *(get_iterator(stream) for stream in STREAMS),
        *(make(table) for table in TABLES for make in (get_item, put_item, delete_item, scan)),
        *(
            make(f"{prefix}{name}")
            for prefix in PREFIXES
            for make, name in ((get, "present"), (put, "object"), (delete, "expendable"))
        ),
        *(invoke(function) for function in FUNCTIONS),
        publish_alert(),
        stack("describe_stacks"),
        *(become(job) for job in ROLES if job != "traffic"),
    ],
    "deploy": [
        *POWER,
        # Nothing but the pipeline's stack, and that only as the role that exists for it.
        change_set(aws_administrator.role_arn(STACK, "run"), "as-another"),
        call("cloudformation", "describe_stacks", "identities", StackName=f"{STACK}-identities"),
        call("cloudformation", "delete_stack", "identities", StackName=f"{STACK}-no-such-stack"),
        configure("delete_bucket", "no-such-bucket"),
        code("put_object", "elsewhere"),
        code("delete_object", "lambda/of-the-test"),
        *(make(table) for table in TABLES for make in (get_item, put_item, delete_item, scan)),
        *(get_iterator(stream) for stream in STREAMS),
        *(put_records(stream) for stream in STREAMS),
        get(f"{names.LANDING_PREFIX}present"),
        put(f"{names.LANDING_PREFIX}object"),
        put(f"{names.ARCHIVE_PREFIX}{names.TRUCK_STREAM}/object"),
        get(f"{names.ON_FAILURE_PREFIX}present"),
        *(invoke(function) for function in FUNCTIONS),
        publish_alert(),
        *(become(job) for job in (*ROLES, "stack") if job != "deploy"),
    ],
}
# Calls that the root does not make after them: it would change the account for the other tests, or the roles let only
# their machine or service in.
NOT_REPEATED = {
    # CloudFormation takes no other identity's role, whoever names it.
    "create_change_set",
    "assume_role",
    "delete_table",
    "delete_bucket",
    "create_user",
    "attach_role_policy",
    "put_role_policy",
    "put_bucket_policy",
    "update_function_configuration",
    "delete_stack",
}


def test_every_identity_is_in_the_table(identity_policies):
    assert sorted(ROLES.values()) == sorted(identity_policies)
    assert sorted(WORKS) == sorted(REFUSED) == sorted(ROLES)


@pytest.mark.parametrize("job", ROLES)
def test_every_granted_action_is_used_by_a_call_that_works(identity_policies, job):
    shown = {each.action for each in WORKS[job]} | SHOWN_ELSEWHERE.get(job, set())
    assert identity_policies[ROLES[job]] == shown


@pytest.mark.parametrize(("job", "allowed"), cases(WORKS))
def test_identity_can_do_its_work(filled, job, allowed):
    allowed.make(filled.as_identity(job, allowed.service), filled)


@pytest.mark.verify
@pytest.mark.parametrize(("job", "beside"), cases(REFUSED))
def test_identity_is_denied_what_is_beside_its_work(filled, assert_root_gets_through, job, beside):
    with pytest.raises(ClientError) as refused:
        beside.make(filled.as_identity(job, beside.service), filled)
    assert refused.value.response["Error"]["Code"] in DENIED
    if beside.operation not in NOT_REPEATED:
        assert_root_gets_through(filled, beside)


@pytest.mark.parametrize("machine", ["default", "dashboard-machine"])
def test_a_machine_has_no_right_of_its_own(filled, machine):
    """So a task that uses no connection, or one that is missing, can do nothing."""
    client = filled.server.client("s3", filled.identities.machine(machine))
    with pytest.raises(ClientError) as refused:
        client.list_objects_v2(Bucket=BUCKET)
    assert refused.value.response["Error"]["Code"] in DENIED


def test_each_machine_becomes_its_own_identities_alone(filled):
    dashboard = filled.server.client("sts", filled.identities.machine("dashboard-machine"))
    airflow = filled.server.client("sts", filled.identities.machine("default"))
    for sts, jobs in ((dashboard, set(ROLES) - {"dashboard"}), (airflow, {"dashboard"})):
        for job in (*jobs, "stack"):
            with pytest.raises(ClientError, match="AccessDenied"):
                sts.assume_role(RoleArn=aws_administrator.role_arn(STACK, job), RoleSessionName="test")
