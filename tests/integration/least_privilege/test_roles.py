"""Each role, by the calls that it must be able to make and by those beside them that it must not.

The table must have every role of the template, and the calls that work must use every action that a role is granted:
a new role and a new grant fail here until somebody says what they are for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from include import names

pytestmark = pytest.mark.integration

BUCKET = "telemetry-of-this-test"
DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError"}

KEY = {
    names.CLICK_TABLE: {"Timestamp": {"S": "2026-11-22T14:00:00.000000"}, "Item_ID": {"S": "MOB001"}},
    names.CLICK_ITEM_TABLE: {"Item_ID": {"S": "MOB001"}},
    names.TRUCK_STATE_TABLE: {"Truck_ID": {"S": "TRK001"}},
    names.API_CALLER_TABLE: {"Caller": {"S": "key"}},
}


@dataclass(frozen=True)
class Call:
    """One call of boto3.  A parameter that is callable is worked out when it is made, from the account."""

    service: str
    operation: str
    parameters: dict[str, Any] = field(hash=False)
    # What IAM is asked for.
    action: str
    # Tells the cases of one operation apart.
    about: str

    def __str__(self) -> str:
        return f"{self.operation} {self.about}"

    def make(self, client: Any, account: Any) -> Any:
        values = {name: value(account) if callable(value) else value for name, value in self.parameters.items()}
        return getattr(client, self.operation)(**values)


def call(service: str, operation: str, about: str, *, action: str = "", **parameters: Any) -> Call:
    action = action or service + ":" + "".join(word.capitalize() for word in operation.split("_"))
    return Call(service, operation, parameters, action, about)


# --- S3 ---------------------------------------------------------------------------------------------------------------
def bucket_of(key: str) -> str:
    return names.abandoned_bucket(BUCKET) if key.startswith(names.ON_FAILURE_PREFIX) else BUCKET


def put(key: str) -> Call:
    return call("s3", "put_object", key, Bucket=bucket_of(key), Key=key, Body=b"x")


def get(key: str) -> Call:
    return call("s3", "get_object", key, Bucket=bucket_of(key), Key=key)


def get_version(key: str) -> Call:
    def version(account: Any) -> str:
        return account.client("s3").head_object(Bucket=BUCKET, Key=key)["VersionId"]

    return call(
        "s3", "get_object", f"version of {key}", Bucket=BUCKET, Key=key, VersionId=version, action="s3:GetObjectVersion"
    )


def delete(key: str) -> Call:
    return call("s3", "delete_object", key, Bucket=bucket_of(key), Key=key)


def list_objects(prefix: str = "") -> Call:
    about = prefix or "all"
    return call(
        "s3", "list_objects_v2", about, Bucket=bucket_of(prefix), Prefix=prefix, MaxKeys=1, action="s3:ListBucket"
    )


def abort_upload(key: str) -> Call:
    def upload(account: Any) -> str:
        return account.client("s3").create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]

    return call("s3", "abort_multipart_upload", key, Bucket=BUCKET, Key=key, UploadId=upload)


# --- DynamoDB ---------------------------------------------------------------------------------------------------------
def batch_write(table: str) -> Call:
    requests = {table: [{"PutRequest": {"Item": KEY[table]}}]}
    return call("dynamodb", "batch_write_item", table, RequestItems=requests)


def put_item(table: str) -> Call:
    return call("dynamodb", "put_item", table, TableName=table, Item=KEY[table])


def get_item(table: str) -> Call:
    return call("dynamodb", "get_item", table, TableName=table, Key=KEY[table])


def batch_get(table: str) -> Call:
    return call("dynamodb", "batch_get_item", table, RequestItems={table: {"Keys": [KEY[table]]}})


def delete_item(table: str) -> Call:
    return call("dynamodb", "delete_item", table, TableName=table, Key=KEY[table])


def scan(table: str) -> Call:
    return call("dynamodb", "scan", table, TableName=table)


def query(table: str) -> Call:
    (name, value), *_ = KEY[table].items()
    about = {"KeyConditionExpression": "#k = :k", "ExpressionAttributeNames": {"#k": name}}
    return call("dynamodb", "query", table, TableName=table, ExpressionAttributeValues={":k": value}, **about)


def partiql(verb: str, table: str) -> Call:
    condition = " AND ".join(f"\"{name}\" = '{value['S']}'" for name, value in KEY[table].items())
    statement = {
        "Select": f'SELECT * FROM "{table}" WHERE {condition}',
        "Update": f'UPDATE "{table}" SET "Noted" = 1 WHERE {condition}',
        "Delete": f'DELETE FROM "{table}" WHERE {condition}',
    }[verb]
    action = f"dynamodb:PartiQL{verb}"
    return call("dynamodb", "execute_statement", f"{verb} {table}", Statement=statement, action=action)


# --- Kinesis ----------------------------------------------------------------------------------------------------------
SHARD = {"ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"}


def get_iterator(stream: str) -> Call:
    return call("kinesis", "get_shard_iterator", stream, StreamName=stream, **SHARD)


def get_records(stream: str) -> Call:
    def iterator(account: Any) -> str:
        return account.client("kinesis").get_shard_iterator(StreamName=stream, **SHARD)["ShardIterator"]

    return call("kinesis", "get_records", stream, ShardIterator=iterator, StreamARN=stream_arn(stream))


def stream_arn(stream: str) -> Callable[[Any], str]:
    def arn(account: Any) -> str:
        summary = account.client("kinesis").describe_stream_summary(StreamName=stream)
        return summary["StreamDescriptionSummary"]["StreamARN"]

    return arn


def put_records(stream: str) -> Call:
    return call("kinesis", "put_records", stream, StreamName=stream, Records=[{"Data": b"{}", "PartitionKey": "key"}])


def archive_reads(stream: str) -> list[Call]:
    """How Firehose reads a stream."""
    return [
        call("kinesis", "describe_stream", stream, StreamName=stream),
        call("kinesis", "list_shards", stream, StreamName=stream),
        get_iterator(stream),
        get_records(stream),
    ]


def mapping_reads(stream: str) -> list[Call]:
    """How an event source mapping reads a stream, with the function's role."""
    return [*archive_reads(stream), call("kinesis", "describe_stream_summary", stream, StreamName=stream)]


# --- Others -----------------------------------------------------------------------------------------------------------
def create_log_stream(group: str) -> Call:
    # Somebody else's name each time: a log stream is made once.
    def name(account: Any) -> str:
        existing = account.client("logs").describe_log_streams(logGroupName=group)["logStreams"]
        return f"stream-{len(existing)}"

    return call("logs", "create_log_stream", group, logGroupName=group, logStreamName=name)


def put_log_events(group: str, stream: str | None = None) -> Call:
    def made(account: Any) -> str:
        logs, name = account.client("logs"), "for-events"
        if not logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=name)["logStreams"]:
            logs.create_log_stream(logGroupName=group, logStreamName=name)
        return name

    events = [{"timestamp": 1795357800000, "message": "line"}]
    return call("logs", "put_log_events", group, logGroupName=group, logStreamName=stream or made, logEvents=events)


def function_logs(function: str) -> list[Call]:
    return [create_log_stream(f"/aws/lambda/{function}"), put_log_events(f"/aws/lambda/{function}")]


def invoke(function: str) -> Call:
    # Asks for the permission, and runs nothing.
    dry = {"FunctionName": function, "InvocationType": "DryRun"}
    return call("lambda", "invoke", function, action="lambda:InvokeFunction", **dry)


def publish_alert() -> Call:
    return call("sns", "publish", names.ALERT_TOPIC, TopicArn=lambda account: account.ids["AlertTopic"], Message="m")


ARCHIVE_LOGS = "/aws/kinesisfirehose/raw-archive"


def archive_bucket(stream: str) -> list[Call]:
    """How Firehose writes."""
    return [
        call("s3", "get_bucket_location", BUCKET, Bucket=BUCKET),
        list_objects(f"{names.ARCHIVE_PREFIX}{stream}/"),
        call("s3", "list_multipart_uploads", BUCKET, Bucket=BUCKET, action="s3:ListBucketMultipartUploads"),
        put(f"{names.ARCHIVE_PREFIX}{stream}/2026/11/22/14/object.gz"),
        put(f"{names.ARCHIVE_ERROR_PREFIX}{stream}/processing-failed/2026/11/22/14/object"),
        abort_upload(f"{names.ARCHIVE_PREFIX}{stream}/2026/11/22/14/large.gz"),
        abort_upload(f"{names.ARCHIVE_ERROR_PREFIX}{stream}/processing-failed/2026/11/22/14/large"),
    ]


def archive_denied(stream: str, other: str) -> list[Call]:
    return [
        get_iterator(other),
        get_records(other),
        put_records(stream),
        put(f"{names.ARCHIVE_PREFIX}{other}/2026/11/22/14/object.gz"),
        put(f"{names.ARCHIVE_ERROR_PREFIX}{other}/processing-failed/object"),
        put(f"{names.LANDING_PREFIX}object"),
        put(f"{names.QUARANTINE_PREFIX}{stream}/object"),
        get(f"{names.ARCHIVE_PREFIX}{stream}/present"),
        delete(f"{names.ARCHIVE_PREFIX}{stream}/expendable"),
        delete(f"{names.ARCHIVE_ERROR_PREFIX}{stream}/expendable"),
        get_item(names.CLICK_TABLE),
        put_item(names.TRUCK_STATE_TABLE),
        invoke(names.CLICK_FUNCTION),
        invoke(names.TRUCK_FUNCTION),
        put_log_events(f"/aws/lambda/{names.ARCHIVE_FUNCTION}"),
    ]


# Every prefix of the two buckets; "present" and "expendable" lie in each.
PREFIXES = (
    names.LANDING_PREFIX,
    f"{names.QUARANTINE_PREFIX}{names.CLICK_STREAM}/",
    f"{names.QUARANTINE_PREFIX}{names.TRUCK_STREAM}/",
    names.RESOLVED_PREFIX,
    f"{names.ARCHIVE_PREFIX}{names.CLICK_STREAM}/",
    f"{names.ARCHIVE_PREFIX}{names.TRUCK_STREAM}/",
    f"{names.ARCHIVE_ERROR_PREFIX}{names.CLICK_STREAM}/",
    f"{names.ARCHIVE_ERROR_PREFIX}{names.TRUCK_STREAM}/",
    names.ON_FAILURE_PREFIX,
)


def nowhere(*allowed: str) -> list[Call]:
    """Every prefix but ``allowed`` is neither written nor read, and nothing at all is deleted."""
    beside = [prefix for prefix in PREFIXES if prefix not in allowed]
    return [
        *(put(f"{prefix}object") for prefix in beside),
        *(get(f"{prefix}present") for prefix in PREFIXES),
        *(delete(f"{prefix}expendable") for prefix in PREFIXES),
    ]


# --- The table --------------------------------------------------------------------------------------------------------
# Role -> calls that its function's work needs.
WORKS: dict[str, list[Call]] = {
    "ClickFunctionRole": [
        *mapping_reads(names.CLICK_STREAM),
        batch_write(names.CLICK_TABLE),
        batch_write(names.CLICK_ITEM_TABLE),
        put(f"{names.QUARANTINE_PREFIX}{names.CLICK_STREAM}/2026/11/22/14/object.json"),
        put(f"{names.ON_FAILURE_PREFIX}mapping/shard/object"),
        list_objects(names.ON_FAILURE_PREFIX),
        *function_logs(names.CLICK_FUNCTION),
    ],
    "TruckFunctionRole": [
        *mapping_reads(names.TRUCK_STREAM),
        put_item(names.TRUCK_STATE_TABLE),
        partiql("Update", names.TRUCK_STATE_TABLE),
        put(f"{names.LANDING_PREFIX}2026/11/22/14/object.json.gz"),
        put(f"{names.QUARANTINE_PREFIX}{names.TRUCK_STREAM}/2026/11/22/14/object.json"),
        put(f"{names.ON_FAILURE_PREFIX}mapping/shard/object"),
        list_objects(names.ON_FAILURE_PREFIX),
        *function_logs(names.TRUCK_FUNCTION),
    ],
    "ApiFunctionRole": [
        put_records(names.TRUCK_STREAM),
        get_item(names.TRUCK_STATE_TABLE),
        batch_get(names.TRUCK_STATE_TABLE),
        scan(names.TRUCK_STATE_TABLE),
        get_item(names.API_CALLER_TABLE),
        *function_logs(names.API_FUNCTION),
    ],
    "IntakeFunctionRole": [
        get(f"{names.ON_FAILURE_PREFIX}present"),
        delete(f"{names.ON_FAILURE_PREFIX}expendable"),
        list_objects(names.ON_FAILURE_PREFIX),
        put(f"{names.QUARANTINE_PREFIX}{names.CLICK_STREAM}/2026/11/22/14/object.json"),
        put(f"{names.QUARANTINE_PREFIX}{names.TRUCK_STREAM}/2026/11/22/14/object.json"),
        put(f"{names.ABANDONED_PREFIX}object.json"),
        *function_logs(names.INTAKE_FUNCTION),
    ],
    "ArchiveFunctionRole": function_logs(names.ARCHIVE_FUNCTION),
    "ClickArchiveRole": [
        *archive_reads(names.CLICK_STREAM),
        *archive_bucket(names.CLICK_STREAM),
        call("lambda", "get_function_configuration", names.ARCHIVE_FUNCTION, FunctionName=names.ARCHIVE_FUNCTION),
        invoke(names.ARCHIVE_FUNCTION),
        put_log_events(ARCHIVE_LOGS, names.CLICK_STREAM),
    ],
    "TruckArchiveRole": [
        *archive_reads(names.TRUCK_STREAM),
        *archive_bucket(names.TRUCK_STREAM),
        call("lambda", "get_function_configuration", names.ARCHIVE_FUNCTION, FunctionName=names.ARCHIVE_FUNCTION),
        invoke(names.ARCHIVE_FUNCTION),
        put_log_events(ARCHIVE_LOGS, names.TRUCK_STREAM),
    ],
    "SnowflakeRole": [
        get(f"{names.LANDING_PREFIX}present"),
        get_version(f"{names.LANDING_PREFIX}present"),
        list_objects(names.LANDING_PREFIX),
        list_objects(f"{names.LANDING_PREFIX}2026/"),
        call("s3", "get_bucket_location", BUCKET, Bucket=BUCKET),
    ],
}

# Role -> calls beside its work.
REFUSED: dict[str, list[Call]] = {
    "ClickFunctionRole": [
        *nowhere(f"{names.QUARANTINE_PREFIX}{names.CLICK_STREAM}/", names.ON_FAILURE_PREFIX),
        batch_write(names.TRUCK_STATE_TABLE),
        *(each(names.CLICK_TABLE) for each in (get_item, query, scan, put_item, delete_item)),
        *(each(names.CLICK_ITEM_TABLE) for each in (get_item, scan, delete_item)),
        partiql("Select", names.CLICK_TABLE),
        partiql("Delete", names.CLICK_TABLE),
        get_iterator(names.TRUCK_STREAM),
        get_records(names.TRUCK_STREAM),
        put_records(names.CLICK_STREAM),
        invoke(names.CLICK_FUNCTION),
        invoke(names.TRUCK_FUNCTION),
        put_log_events(f"/aws/lambda/{names.TRUCK_FUNCTION}"),
        publish_alert(),
    ],
    "TruckFunctionRole": [
        *nowhere(names.LANDING_PREFIX, f"{names.QUARANTINE_PREFIX}{names.TRUCK_STREAM}/", names.ON_FAILURE_PREFIX),
        *(put_item(table) for table in (names.CLICK_TABLE, names.CLICK_ITEM_TABLE)),
        *(partiql("Update", table) for table in (names.CLICK_TABLE, names.CLICK_ITEM_TABLE)),
        *(each(names.TRUCK_STATE_TABLE) for each in (get_item, query, scan, delete_item, batch_write)),
        partiql("Select", names.TRUCK_STATE_TABLE),
        partiql("Delete", names.TRUCK_STATE_TABLE),
        get_iterator(names.CLICK_STREAM),
        get_records(names.CLICK_STREAM),
        put_records(names.TRUCK_STREAM),
        invoke(names.TRUCK_FUNCTION),
        invoke(names.API_FUNCTION),
        put_log_events(f"/aws/lambda/{names.CLICK_FUNCTION}"),
        publish_alert(),
    ],
    "ApiFunctionRole": [
        *nowhere(),
        put_records(names.CLICK_STREAM),
        get_iterator(names.TRUCK_STREAM),
        get_records(names.TRUCK_STREAM),
        *(each(names.TRUCK_STATE_TABLE) for each in (put_item, delete_item, batch_write)),
        *(each(names.API_CALLER_TABLE) for each in (put_item, delete_item, batch_write, batch_get, scan)),
        partiql("Update", names.TRUCK_STATE_TABLE),
        *(each(names.CLICK_TABLE) for each in (get_item, scan, put_item)),
        invoke(names.TRUCK_FUNCTION),
        put_log_events(f"/aws/lambda/{names.TRUCK_FUNCTION}"),
        publish_alert(),
    ],
    "IntakeFunctionRole": [
        *(put(f"{prefix}object") for prefix in PREFIXES if not prefix.startswith(names.QUARANTINE_PREFIX)),
        *(get(f"{prefix}present") for prefix in PREFIXES if prefix != names.ON_FAILURE_PREFIX),
        *(delete(f"{prefix}expendable") for prefix in PREFIXES if prefix != names.ON_FAILURE_PREFIX),
        get_item(names.CLICK_TABLE),
        put_item(names.TRUCK_STATE_TABLE),
        get_iterator(names.CLICK_STREAM),
        put_records(names.TRUCK_STREAM),
        invoke(names.CLICK_FUNCTION),
        invoke(names.INTAKE_FUNCTION),
        put_log_events(f"/aws/lambda/{names.CLICK_FUNCTION}"),
        publish_alert(),
    ],
    "ArchiveFunctionRole": [
        *nowhere(),
        list_objects(names.ARCHIVE_PREFIX),
        get_iterator(names.CLICK_STREAM),
        put_records(names.CLICK_STREAM),
        get_item(names.CLICK_TABLE),
        put_item(names.TRUCK_STATE_TABLE),
        invoke(names.ARCHIVE_FUNCTION),
        put_log_events(ARCHIVE_LOGS),
        put_log_events(f"/aws/lambda/{names.CLICK_FUNCTION}"),
        publish_alert(),
    ],
    "ClickArchiveRole": archive_denied(names.CLICK_STREAM, names.TRUCK_STREAM),
    "TruckArchiveRole": archive_denied(names.TRUCK_STREAM, names.CLICK_STREAM),
    "SnowflakeRole": [
        *(put(f"{prefix}object") for prefix in PREFIXES),
        *(delete(f"{prefix}expendable") for prefix in PREFIXES),
        *(get(f"{prefix}present") for prefix in PREFIXES if prefix != names.LANDING_PREFIX),
        get_version(f"{names.QUARANTINE_PREFIX}{names.TRUCK_STREAM}/present"),
        *(list_objects(prefix) for prefix in ("", "telemetry", *PREFIXES[1:])),
        get_iterator(names.TRUCK_STREAM),
        get_item(names.TRUCK_STATE_TABLE),
        invoke(names.TRUCK_FUNCTION),
        publish_alert(),
    ],
}


@pytest.fixture(scope="module")
def filled(account):
    """The account with an object under every prefix and a row in every table, so that only IAM can refuse a read."""
    for prefix in PREFIXES:
        for name in ("present", "expendable"):
            account.client("s3").put_object(Bucket=bucket_of(prefix), Key=f"{prefix}{name}", Body=b"x")
    fill_tables(account)
    return account


def fill_tables(account: Any) -> None:
    for table, key in KEY.items():
        account.client("dynamodb").put_item(TableName=table, Item=key)


@pytest.fixture(scope="module")
def assert_root_gets_through():
    """Whoever may do everything gets through with the same call: it is the role that was refused."""
    through: set[str] = set()

    def check(account: Any, beside: Call) -> None:
        if str(beside) in through:
            return
        beside.make(account.client(beside.service), account)
        if beside.service == "dynamodb":
            fill_tables(account)  # The row that has just been deleted, perhaps.
        through.add(str(beside))

    return check


def cases(table: dict[str, list[Call]]) -> list[Any]:
    return [pytest.param(role, each, id=f"{role}-{each}") for role, calls in table.items() for each in calls]


def test_every_role_of_the_template_is_in_the_table(account):
    assert account.roles == sorted(WORKS) == sorted(REFUSED)


@pytest.mark.parametrize("role", WORKS)
def test_every_granted_action_is_used_by_a_call_that_works(policies, role):
    assert policies[role] == {each.action for each in WORKS[role]}


@pytest.mark.parametrize(("role", "allowed"), cases(WORKS))
def test_role_can_do_its_work(filled, role, allowed):
    allowed.make(filled.as_role(role, allowed.service), filled)


@pytest.mark.parametrize(("role", "beside"), cases(REFUSED))
def test_role_is_denied_what_is_beside_its_work(filled, assert_root_gets_through, role, beside):
    with pytest.raises(ClientError) as refused:
        beside.make(filled.as_role(role, beside.service), filled)
    assert refused.value.response["Error"]["Code"] in DENIED
    assert_root_gets_through(filled, beside)
