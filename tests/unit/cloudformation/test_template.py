"""The template, read as data: what it grants, encrypts and names."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from clicks_to_deliveries.hooks.stack import MAX_STORED_TEMPLATE_BYTES

from include import names
from include.cloudformation import STACK_POLICY, TEMPLATE
from include.cloudformation.render import load, render
from include.contracts import MAX_CLOCK_SKEW
from include.settings import Settings
from lambdas.common import metrics
from tests.fixtures.named_template import named_template

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
TEMPLATE_DATA = named_template(load(TEMPLATE))
RESOURCES = TEMPLATE_DATA["Resources"]

# Statements whose resource is "*", and why they may be.
EVERY_RESOURCE = {
    ("AlertKey", "Administer"): "in a key's policy * is that key",
    ("AlertKey", "WhoeverMayUseTheTopic"): "in a key's policy * is that key",
    ("AlertKey", "Alarms"): "in a key's policy * is that key",
}
# Statements for anybody ("*"), and what narrows them.
EVERYBODY = {
    ("AlertKey", "WhoeverMayUseTheTopic"): "kms:CallerAccount",
}

READ_STREAM = {
    "kinesis:DescribeStream",
    "kinesis:DescribeStreamSummary",
    "kinesis:GetRecords",
    "kinesis:GetShardIterator",
    "kinesis:ListShards",
}
WRITE_LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}
ARCHIVE_STREAM = READ_STREAM - {"kinesis:DescribeStreamSummary"}
ARCHIVE_BUCKET = {"s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"}
ARCHIVE_OBJECTS = {"s3:AbortMultipartUpload", "s3:PutObject"}

# Everything each role may do: resource -> actions.
GRANTS = {
    "ClickFunctionRole": {
        "ClickStream": READ_STREAM,
        "ClickTable": {"dynamodb:BatchWriteItem"},
        "ClickItemTable": {"dynamodb:BatchWriteItem"},
        "AbandonedBucket": {"s3:ListBucket"},
        f"TelemetryBucket/{names.QUARANTINE_PREFIX}{names.CLICK_STREAM}/*": {"s3:PutObject"},
        f"AbandonedBucket/{names.ON_FAILURE_PREFIX}*": {"s3:PutObject"},
        "ClickLogGroup": WRITE_LOGS,
    },
    "TruckFunctionRole": {
        "TruckStream": READ_STREAM,
        "TruckStateTable": {"dynamodb:PartiQLUpdate", "dynamodb:PutItem"},
        "AbandonedBucket": {"s3:ListBucket"},
        f"TelemetryBucket/{names.LANDING_PREFIX}*": {"s3:PutObject"},
        f"TelemetryBucket/{names.QUARANTINE_PREFIX}{names.TRUCK_STREAM}/*": {"s3:PutObject"},
        f"AbandonedBucket/{names.ON_FAILURE_PREFIX}*": {"s3:PutObject"},
        "TruckLogGroup": WRITE_LOGS,
    },
    "ApiFunctionRole": {
        "TruckStream": {"kinesis:PutRecords"},
        "TruckStateTable": {"dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Scan"},
        "ApiCallerTable": {"dynamodb:GetItem"},
        "ApiLogGroup": WRITE_LOGS,
    },
    "IntakeFunctionRole": {
        "AbandonedBucket": {"s3:ListBucket"},
        f"AbandonedBucket/{names.ON_FAILURE_PREFIX}*": {"s3:GetObject", "s3:DeleteObject"},
        f"TelemetryBucket/{names.QUARANTINE_PREFIX}*": {"s3:PutObject"},
        f"TelemetryBucket/{names.ABANDONED_PREFIX}*": {"s3:PutObject"},
        "IntakeLogGroup": WRITE_LOGS,
    },
    "ArchiveFunctionRole": {"ArchiveFunctionLogGroup": WRITE_LOGS},
    "ClickArchiveRole": {
        "ClickStream": ARCHIVE_STREAM,
        "TelemetryBucket": ARCHIVE_BUCKET,
        f"TelemetryBucket/{names.ARCHIVE_PREFIX}{names.CLICK_STREAM}/*": ARCHIVE_OBJECTS,
        f"TelemetryBucket/{names.ARCHIVE_ERROR_PREFIX}{names.CLICK_STREAM}/*": ARCHIVE_OBJECTS,
        "ArchiveFunction": {"lambda:GetFunctionConfiguration", "lambda:InvokeFunction"},
        "ArchiveLogGroup": {"logs:PutLogEvents"},
    },
    "TruckArchiveRole": {
        "TruckStream": ARCHIVE_STREAM,
        "TelemetryBucket": ARCHIVE_BUCKET,
        f"TelemetryBucket/{names.ARCHIVE_PREFIX}{names.TRUCK_STREAM}/*": ARCHIVE_OBJECTS,
        f"TelemetryBucket/{names.ARCHIVE_ERROR_PREFIX}{names.TRUCK_STREAM}/*": ARCHIVE_OBJECTS,
        "ArchiveFunction": {"lambda:GetFunctionConfiguration", "lambda:InvokeFunction"},
        "ArchiveLogGroup": {"logs:PutLogEvents"},
    },
    "SnowflakeRole": {
        "TelemetryBucket": {"s3:ListBucket", "s3:GetBucketLocation"},
        f"TelemetryBucket/{names.LANDING_PREFIX}*": {"s3:GetObject", "s3:GetObjectVersion"},
    },
}


def of_type(resource_type: str) -> dict[str, dict[str, Any]]:
    """Logical id -> properties."""
    return {key: value["Properties"] for key, value in RESOURCES.items() if value["Type"] == resource_type}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def policy_statements() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement of every policy, whatever it hangs on: (logical id, statement)."""

    def walk(logical_id: str, node: Any) -> Iterator[tuple[str, dict[str, Any]]]:
        if isinstance(node, dict) and "Effect" in node:
            yield logical_id, node
        elif isinstance(node, dict | list):
            for child in node.values() if isinstance(node, dict) else node:
                yield from walk(logical_id, child)

    for logical_id, resource in RESOURCES.items():
        yield from walk(logical_id, resource)


def named(resource: Any) -> str:
    """A statement's resource as "LogicalId" or "LogicalId/path"."""
    match resource:
        case {"Fn::GetAtt": [logical_id, "Arn"]} | {"Ref": logical_id}:
            return logical_id
        case {"Fn::Sub": text}:
            text = text.replace("arn:${AWS::Partition}:s3:::${TelemetryBucketName}-abandoned", "AbandonedBucket")
            text = text.replace("arn:${AWS::Partition}:s3:::${TelemetryBucketName}", "TelemetryBucket")
            return text.replace("${", "").replace(".Arn}", "")
    return str(resource)


# Part of `make lint`, with which `make test` begins.
@pytest.mark.verify
def test_is_clean_for_cfn_lint():
    from cfnlint.api import lint_file

    assert lint_file(TEMPLATE) == []


def test_is_not_larger_with_what_it_includes_than_cloudformation_takes():
    assert len(render(TEMPLATE).encode()) < MAX_STORED_TEMPLATE_BYTES


def test_names_are_those_of_the_other_parts():
    click_table, items, state, callers = (
        of_type("AWS::DynamoDB::Table")[f"{key}Table"] for key in ("Click", "ClickItem", "TruckState", "ApiCaller")
    )
    assert [p["Name"] for p in of_type("AWS::Kinesis::Stream").values()] == [names.CLICK_STREAM, names.TRUCK_STREAM]
    functions = of_type("AWS::Lambda::Function")
    assert functions["ClickFunction"]["FunctionName"] == names.CLICK_FUNCTION
    assert functions["TruckFunction"]["FunctionName"] == names.TRUCK_FUNCTION
    assert functions["ApiFunction"]["FunctionName"] == names.API_FUNCTION
    assert functions["ArchiveFunction"]["FunctionName"] == names.ARCHIVE_FUNCTION
    assert functions["IntakeFunction"]["FunctionName"] == names.INTAKE_FUNCTION
    assert [table["TableName"] for table in (click_table, items, state, callers)] == [
        names.CLICK_TABLE,
        names.CLICK_ITEM_TABLE,
        names.TRUCK_STATE_TABLE,
        names.API_CALLER_TABLE,
    ]
    assert [index["IndexName"] for index in click_table["GlobalSecondaryIndexes"]] == [names.CLICK_INDEX]
    assert RESOURCES["AlertTopic"]["Properties"]["TopicName"] == names.ALERT_TOPIC
    default = TEMPLATE_DATA["Parameters"]["TelemetryBucketName"]["Default"]
    assert default == Settings(deployment_bucket="x").telemetry_bucket
    for function, log_group in (
        ("ClickFunction", "ClickLogGroup"),
        ("TruckFunction", "TruckLogGroup"),
        ("ApiFunction", "ApiLogGroup"),
        ("ArchiveFunction", "ArchiveFunctionLogGroup"),
        ("IntakeFunction", "IntakeLogGroup"),
    ):
        written = RESOURCES[log_group]["Properties"]["LogGroupName"]
        assert written == f"/aws/lambda/{functions[function]['FunctionName']}"
        assert functions[function]["LoggingConfig"] == {"LogGroup": {"Ref": log_group}}
    for function in ("ClickFunction", "TruckFunction", "IntakeFunction"):
        assert functions[function]["Environment"]["Variables"]["QUARANTINE_PREFIX"] == names.QUARANTINE_PREFIX
    assert functions["TruckFunction"]["Environment"]["Variables"]["LANDING_PREFIX"] == names.LANDING_PREFIX
    for archive, stream in (("ClickArchive", names.CLICK_STREAM), ("TruckArchive", names.TRUCK_STREAM)):
        target = RESOURCES[archive]["Properties"]["ExtendedS3DestinationConfiguration"]
        assert target["Prefix"].startswith(f"{names.ARCHIVE_PREFIX}{stream}/")
        assert target["ErrorOutputPrefix"].startswith(f"{names.ARCHIVE_ERROR_PREFIX}{stream}/")


def test_functions_that_judge_readings_have_one_metric_policy():
    for function in ("TruckFunction", "ApiFunction"):
        variables = RESOURCES[function]["Properties"]["Environment"]["Variables"]
        policy = (variables["NULL_OUT_OF_RANGE"], variables["METRIC_DECIMALS"])
        assert policy == ({"Ref": "NullOutOfRange"}, {"Ref": "MetricDecimals"})


def test_functions_allow_the_clock_skew_that_the_ledger_and_the_rules_allow():
    for function in ("ClickFunction", "TruckFunction", "ApiFunction"):
        seconds = RESOURCES[function]["Properties"]["Environment"]["Variables"]["MAX_CLOCK_SKEW_SECONDS"]
        assert timedelta(seconds=int(seconds)) == MAX_CLOCK_SKEW


def test_defaults_are_those_of_the_settings():
    defaults = {key: value.get("Default") for key, value in TEMPLATE_DATA["Parameters"].items()}
    settings = Settings(deployment_bucket="x")
    assert defaults["LambdaRuntime"] == settings.lambda_runtime
    assert defaults["LambdaArchitecture"] == settings.lambda_architecture
    assert defaults["ClickShards"] == settings.click_shards
    assert defaults["TruckShards"] == settings.truck_shards
    assert defaults["ClickIndexShards"] == settings.click_index_shards
    assert defaults["BatchingWindowSeconds"] == settings.batching_window_seconds
    assert defaults["TruckBatchingWindowSeconds"] == settings.truck_batching_window_seconds
    assert (defaults["StreamMode"] == "ON_DEMAND") is settings.streams_on_demand
    assert defaults["ProcessorMemoryMb"] == settings.processor_memory_mb
    assert defaults["ProcessorLanes"] == settings.processor_lanes
    assert (defaults["ReservedConcurrency"] == "true") is settings.reserved_concurrency
    assert defaults["ArchiveConcurrency"] == settings.archive_concurrency
    assert defaults["ApiConcurrency"] == settings.api_concurrency
    assert defaults["ArchiveIntervalSeconds"] == settings.archive_interval_seconds
    assert defaults["NullOutOfRange"] == settings.null_out_of_range
    assert defaults["MetricDecimals"] == settings.metric_decimals
    assert defaults["ApiEndpoint"] == settings.api_endpoint
    assert defaults["ApiAuthorization"] == settings.api_authorization
    assert defaults["ApiUserPoolArns"] == settings.api_user_pools
    assert defaults["ApiTrucksClaim"] == settings.api_trucks_claim
    assert (defaults["ApiBindCallers"] == "true") is settings.api_bind_callers
    assert defaults["ApiWebAclArn"] == settings.api_web_acl
    assert defaults["ClickTtlDays"] == settings.click_ttl_days


def test_no_statement_allows_a_wildcard_action():
    statements = [s for s in policy_statements() if s[1]["Effect"] == "Allow"]
    assert len(statements) > 20
    wild = [(key, action) for key, s in statements for action in as_list(s["Action"]) if "*" in action]
    assert wild == []


def test_every_resource_is_named_but_for_the_justified():
    found = {
        (key, statement.get("Sid"))
        for key, statement in policy_statements()
        if "*" in as_list(statement.get("Resource", [])) and statement["Effect"] == "Allow"
    }
    assert found == EVERY_RESOURCE.keys()


def test_nothing_is_allowed_to_everybody_without_a_condition():
    found = {
        (key, statement.get("Sid")): statement
        for key, statement in policy_statements()
        if statement["Effect"] == "Allow" and statement.get("Principal") in ("*", {"AWS": "*"})
    }
    assert found.keys() == EVERYBODY.keys()
    for key, narrowed_by in EVERYBODY.items():
        assert narrowed_by in found[key]["Condition"]["StringEquals"]


@pytest.mark.parametrize("role", of_type("AWS::IAM::Role"))
def test_a_role_may_do_exactly_what_its_work_needs(role):
    granted: dict[str, set[str]] = {}
    for policy in RESOURCES[role]["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            for resource in as_list(statement["Resource"]):
                granted.setdefault(named(resource), set()).update(as_list(statement["Action"]))
    assert granted == GRANTS[role]
    assert "ManagedPolicyArns" not in RESOURCES[role]["Properties"]


def test_snowflake_lists_only_what_landed():
    statements = RESOURCES["SnowflakeRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    (listing,) = (s for s in statements if s["Action"] == "s3:ListBucket")
    assert listing["Condition"] == {"StringLike": {"s3:prefix": f"{names.LANDING_PREFIX}*"}}


def test_nobody_assumes_snowflakes_role_before_the_integration_exists():
    (statement,) = RESOURCES["SnowflakeRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    condition, known, unknown = statement["Fn::If"]
    assert condition == "IntegrationExists"
    assert known["Principal"] == {"AWS": {"Ref": "SnowflakeUserArn"}}
    assert known["Condition"] == {"StringEquals": {"sts:ExternalId": {"Ref": "SnowflakeExternalId"}}}
    assert unknown["Effect"] == "Deny"


@pytest.mark.parametrize("mapping", of_type("AWS::Lambda::EventSourceMapping"))
def test_a_mapping_retries_as_long_as_the_stream_keeps_the_batch_and_then_keeps_it_elsewhere(mapping):
    properties = RESOURCES[mapping]["Properties"]
    assert properties["StartingPosition"] == "TRIM_HORIZON"
    assert properties["MaximumRetryAttempts"] == -1
    assert properties["MaximumRecordAgeInSeconds"] == {"Ref": "MaxRecordAgeSeconds"}
    parameters = TEMPLATE_DATA["Parameters"]
    # An hour is left to put the batch aside before the stream forgets it.
    assert parameters["MaxRecordAgeSeconds"]["Default"] == (parameters["StreamRetentionHours"]["Default"] - 1) * 3600
    assert properties["BisectBatchOnFunctionError"] is True
    assert properties["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert properties["DestinationConfig"] == {"OnFailure": {"Destination": {"Fn::GetAtt": ["AbandonedBucket", "Arn"]}}}
    assert "FilterCriteria" not in properties
    assert properties["ParallelizationFactor"] == {"Ref": "ProcessorLanes"}
    # A parameter would arrive at MiniStack as a string, which stops all its Kinesis polling.
    assert isinstance(properties["BatchSize"], int)


@pytest.mark.parametrize("function", of_type("AWS::Lambda::Function"))
def test_a_function_starts_with_the_environment_it_is_given(function):
    properties = RESOURCES[function]["Properties"]
    defaults = {name: parameter.get("Default") for name, parameter in TEMPLATE_DATA["Parameters"].items()}
    variables = {
        key: str(defaults.get(value.get("Ref"), "1")) if isinstance(value, dict) else value
        for key, value in properties["Environment"]["Variables"].items()
    }
    # In a deployment of the environment "staging".
    assert variables["CTD_ENVIRONMENT"] == "1"
    variables["CTD_ENVIRONMENT"] = "staging"
    module, _, name = properties["Handler"].rpartition(".")
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "AWS_DEFAULT_REGION": "us-east-1", **variables}
    command = [sys.executable, "-c", f"import {module}; assert callable({module}.{name})"]
    result = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=180)
    assert result.returncode == 0, result.stderr


def test_everything_stored_is_encrypted():
    for stream in of_type("AWS::Kinesis::Stream").values():
        assert stream["StreamEncryption"] == {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}
    for table in of_type("AWS::DynamoDB::Table").values():
        assert table["SSESpecification"] == {"SSEEnabled": True}
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert table["BillingMode"] == "PAY_PER_REQUEST"
    for bucket in of_type("AWS::S3::Bucket").values():
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    for topic in of_type("AWS::SNS::Topic").values():
        assert topic["KmsMasterKeyId"] == {"Fn::GetAtt": ["AlertKey", "Arn"]}


def test_each_bucket_has_a_policy():
    policies = of_type("AWS::S3::BucketPolicy").values()
    assert {policy["Bucket"]["Ref"] for policy in policies} == set(of_type("AWS::S3::Bucket"))


@pytest.mark.parametrize("bucket", of_type("AWS::S3::Bucket"))
def test_a_bucket_refuses_plain_http(bucket):
    policy = RESOURCES[f"{bucket}Policy"]["Properties"]
    assert policy["Bucket"] == {"Ref": bucket}
    statement, _ = policy["PolicyDocument"]["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert [named(resource) for resource in statement["Resource"]] == [bucket, f"{bucket}/*"]


def test_a_stopped_stack_reads_no_stream_answers_no_request_and_writes_to_no_bucket():
    running = {"Fn::Equals": [{"Ref": "Stopped"}, "false"]}
    assert TEMPLATE_DATA["Conditions"]["Running"] == running
    assert {"Condition": "Running"} in TEMPLATE_DATA["Conditions"]["MappingsEnabled"]["Fn::And"]
    for mapping in of_type("AWS::Lambda::EventSourceMapping").values():
        assert mapping["Enabled"] == {"Fn::If": ["MappingsEnabled", True, False]}
    for bucket in of_type("AWS::S3::Bucket"):
        _, refusal = RESOURCES[f"{bucket}Policy"]["Properties"]["PolicyDocument"]["Statement"]
        condition, nothing, statement = refusal["Fn::If"]
        assert (condition, nothing) == ("Running", {"Ref": "AWS::NoValue"})
        assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:PutObject")
        assert named(statement["Resource"]) == f"{bucket}/*"


def test_every_table_can_be_protected_and_a_new_stack_is_not():
    for table in of_type("AWS::DynamoDB::Table").values():
        assert table["DeletionProtectionEnabled"] == {"Fn::If": ["Protected", True, False]}
    # A creation that fails half way has to be rolled back (docs/adr/0016).
    assert TEMPLATE_DATA["Parameters"]["DeletionProtection"]["Default"] == "false"


def test_the_stack_policy_keeps_what_holds_data():
    allowed, denied = json.loads(STACK_POLICY.read_text())["Statement"]
    assert (allowed["Effect"], allowed["Action"]) == ("Allow", "Update:*")
    assert (denied["Effect"], denied["Action"]) == ("Deny", ["Update:Replace", "Update:Delete"])
    protected = {"AWS::DynamoDB::Table", "AWS::Kinesis::Stream", "AWS::S3::Bucket"}
    assert set(denied["Condition"]["StringEquals"]["ResourceType"]) == protected
    assert all(of_type(each) for each in protected)


def test_the_bucket_tells_the_intake_of_abandoned_batches_and_may_call_it():
    bucket = RESOURCES["AbandonedBucket"]["Properties"]
    assert bucket["BucketName"] == {"Fn::Sub": names.abandoned_bucket("${TelemetryBucketName}")}
    (notified,) = bucket["NotificationConfiguration"]["LambdaConfigurations"]
    assert notified["Function"] == {"Fn::GetAtt": ["IntakeFunction", "Arn"]}
    assert notified["Filter"]["S3Key"]["Rules"] == [{"Name": "prefix", "Value": names.ON_FAILURE_PREFIX}]
    assert RESOURCES["AbandonedBucket"]["DependsOn"] == "BucketInvokesIntake"
    permission = RESOURCES["BucketInvokesIntake"]["Properties"]
    assert (permission["Principal"], permission["SourceAccount"]) == ("s3.amazonaws.com", {"Ref": "AWS::AccountId"})
    assert named(permission["SourceArn"]) == "AbandonedBucket"
    assert intake_writes_from("ABANDONED_BUCKET") == {"Fn::Sub": names.abandoned_bucket("${TelemetryBucketName}")}


@pytest.mark.parametrize("archive", of_type("AWS::KinesisFirehose::DeliveryStream"))
def test_every_record_is_archived_with_its_envelope(archive):
    target = RESOURCES[archive]["Properties"]["ExtendedS3DestinationConfiguration"]
    assert target["CompressionFormat"] == "GZIP"
    assert "!{timestamp:yyyy/MM/dd/HH}" in target["Prefix"]
    (processor,) = target["ProcessingConfiguration"]["Processors"]
    given = {each["ParameterName"]: each["ParameterValue"] for each in processor["Parameters"]}
    assert processor["Type"] == "Lambda"
    assert given["LambdaArn"] == {"Fn::GetAtt": ["ArchiveFunction", "Arn"]}
    # The archive outlasts an hour of throttling: after the last retry, Firehose would drop the envelopes.
    assert given["NumberOfRetries"] == "300"
    # The event and the answer are in base64, with metadata around each record: Lambda's limit is 6 MB.
    assert 0.2 <= float(given["BufferSizeInMBs"]) <= 1


def intake_writes_from(variable: str) -> Any:
    return RESOURCES["IntakeFunction"]["Properties"]["Environment"]["Variables"][variable]


@pytest.mark.parametrize(("function", "parameter"), [("Archive", "ArchiveConcurrency"), ("Api", "ApiConcurrency")])
def test_the_archive_has_its_own_concurrency_and_the_api_no_more_than_its(function, parameter):
    reserved = RESOURCES[f"{function}Function"]["Properties"]["ReservedConcurrentExecutions"]
    if function == "Api":
        condition, reserved, stopped = reserved["Fn::If"]
        assert (condition, stopped) == ("Running", 0)
    assert reserved == {"Fn::If": ["Reserved", {"Ref": parameter}, {"Ref": "AWS::NoValue"}]}


@pytest.mark.parametrize("stream", of_type("AWS::Kinesis::Stream"))
def test_an_on_demand_stream_has_no_number_of_shards(stream):
    properties = RESOURCES[stream]["Properties"]
    assert properties["StreamModeDetails"] == {"StreamMode": {"Ref": "StreamMode"}}
    condition, shards, none = properties["ShardCount"]["Fn::If"]
    assert (condition, none) == ("Provisioned", {"Ref": "AWS::NoValue"})
    assert shards["Ref"] in ("ClickShards", "TruckShards")


def test_the_archive_never_expires():
    rules = RESOURCES["TelemetryBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    expiring = [rule.get("Prefix", "") for rule in rules if "ExpirationInDays" in rule]
    assert expiring == [names.LANDING_PREFIX, names.RESOLVED_PREFIX]


def test_a_landing_object_is_gone_before_snowpipe_forgets_that_it_has_loaded_it():
    rules = RESOURCES["TelemetryBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    (days,) = [rule["ExpirationInDays"] for rule in rules if rule.get("Prefix") == names.LANDING_PREFIX]
    # Of an object of 00:01, S3 rounds the end up by nearly a day, and it removes what has expired within about another.
    rounding, lag = 1, 1
    assert days + rounding + lag < 14


def test_alarms_can_publish_to_the_encrypted_topic():
    alarms = of_type("AWS::CloudWatch::Alarm")
    assert alarms
    assert all(alarm["AlarmActions"] == [{"Ref": "AlertTopic"}] for alarm in alarms.values())
    for resource in ("AlertKey", "AlertTopicPolicy"):
        statements = [statement for key, statement in policy_statements() if key == resource]
        assert {"Service": "cloudwatch.amazonaws.com"} in [statement["Principal"] for statement in statements]
    # The managed key alias/aws/sns would let no alarm in: see AlertKey in the template.
    assert RESOURCES["AlertKey"]["Type"] == "AWS::KMS::Key"


@pytest.mark.parametrize("function", ["ClickFunction", "TruckFunction"])
def test_alarms_watch_the_metrics_that_the_function_reports(function):
    service = RESOURCES[function]["Properties"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
    # !Ref of a function is its name.
    assert service == RESOURCES[function]["Properties"]["FunctionName"]
    watched = {
        alarm["MetricName"]: alarm["Statistic"]
        for alarm in of_type("AWS::CloudWatch::Alarm").values()
        if alarm.get("Namespace") == names.METRICS_NAMESPACE
        and alarm.get("Dimensions") == [{"Name": "service", "Value": {"Ref": function}}]
    }
    assert watched == {metrics.QUARANTINED: "Sum", metrics.OLDEST_LAG: "Maximum"}


def test_alarms_watch_the_metrics_that_airflow_reports():
    reported = {
        metric["MetricName"]
        for alarm in of_type("AWS::CloudWatch::Alarm").values()
        for metric in [
            alarm,
            *(query["MetricStat"]["Metric"] for query in alarm.get("Metrics", []) if "MetricStat" in query),
        ]
        if metric.get("Namespace") == names.METRICS_NAMESPACE and "Dimensions" not in metric
    }
    assert reported == {
        names.SCHEDULER_HEARTBEAT,
        names.TRIGGERER_HEARTBEAT,
        names.ABANDONED_BATCHES_METRIC,
        names.ARCHIVE_ERRORS_METRIC,
        names.ALERT_SUBSCRIBERS_METRIC,
    }


def test_every_log_group_forgets():
    assert {group["RetentionInDays"] for group in of_type("AWS::Logs::LogGroup").values()} == {30}
