"""Calls of boto3 and the permission that each asks for: the tables of least privilege are made of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from include import names

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


def fill_tables(account: Any) -> None:
    for table, key in KEY.items():
        account.client("dynamodb").put_item(TableName=table, Item=key)


def cases(table: dict[str, list[Call]]) -> list[Any]:
    """One case a call: whose it is, and the call."""
    return [pytest.param(who, each, id=f"{who}-{each}") for who, calls in table.items() for each in calls]
