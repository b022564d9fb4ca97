"""The real template, deployed by the real operator on MiniStack: created, left alone, updated, refused, deleted."""

import io
import json
import zipfile
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException
from botocore.exceptions import ClientError
from clicks_to_deliveries.hooks import stack as stack_module
from clicks_to_deliveries.hooks.stack import StackHook
from clicks_to_deliveries.operators.delete_stack import DeleteStackOperator
from clicks_to_deliveries.operators.deploy_stack import DeployStackOperator

from include import names
from include.cloudformation import STACK_POLICY, TEMPLATE
from include.cloudformation.render import render

pytestmark = pytest.mark.integration

STACK = "clicks-to-deliveries"
CODE_BUCKET, BUCKET = "bundles", "telemetry-of-this-test"
CONDITIONAL = {"AlertEmailSubscription", "ApiWebAcl"}
HANDLER = "def handler(event, context):\n    return {'batchItemFailures': []}\n"


@pytest.fixture
def aws(own_ministack, monkeypatch):
    """MiniStack with the functions' code; Airflow finds it by the environment, as any AWS client does."""
    for name, value in own_ministack.environment.items():
        monkeypatch.setenv(name, value)
    s3 = own_ministack.client("s3")
    s3.create_bucket(Bucket=CODE_BUCKET)
    s3.put_object(Bucket=CODE_BUCKET, Key="functions.zip", Body=_bundle())
    return own_ministack


def _bundle() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("lambdas/kinesis_to_dynamodb/handler.py", HANDLER)
        archive.writestr("lambdas/truck_data/handler.py", HANDLER)
        archive.writestr("lambdas/truck_telemetry_api/handler.py", HANDLER)
        archive.writestr("lambdas/archive_envelope/handler.py", HANDLER)
        archive.writestr("lambdas/quarantine_intake/handler.py", HANDLER)
    return buffer.getvalue()


def deploy(**parameters: Any) -> dict[str, str]:
    operator = DeployStackOperator(
        task_id="deploy",
        stack_name=STACK,
        template=TEMPLATE,
        template_bucket=CODE_BUCKET,
        parameters={
            "DeploymentBucket": CODE_BUCKET,
            "ClickCodeKey": "functions.zip",
            "TruckCodeKey": "functions.zip",
            "ApiCodeKey": "functions.zip",
            "ArchiveCodeKey": "functions.zip",
            "IntakeCodeKey": "functions.zip",
            "TelemetryBucketName": BUCKET,
            "EventSourceMappingsEnabled": False,
            **parameters,
        },
        aws_conn_id=None,
    )
    return operator.execute({})


def statuses(aws) -> list[str]:
    events = aws.client("cloudformation").describe_stack_events(StackName=STACK)["StackEvents"]
    return [event["ResourceStatus"] for event in events if event["LogicalResourceId"] == STACK]


def notifications(aws) -> list[dict[str, Any]]:
    answer = aws.client("s3").get_bucket_notification_configuration(Bucket=BUCKET)
    return answer.get("QueueConfigurations", [])


def test_creates_every_resource_of_the_template_and_the_same_again_changes_nothing(aws):
    outputs = deploy()
    declared = json.loads(render(TEMPLATE))
    resources = aws.client("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
    assert {r["LogicalResourceId"] for r in resources} == declared["Resources"].keys() - CONDITIONAL
    assert {r["ResourceStatus"] for r in resources} == {"CREATE_COMPLETE"}
    assert outputs.keys() == declared["Outputs"].keys()
    assert outputs["TelemetryBucketName"] == BUCKET
    assert outputs["ClickStreamArn"].endswith(f":stream/{names.CLICK_STREAM}")
    # The services themselves know the resources, not only CloudFormation.
    assert set(aws.client("kinesis").list_streams()["StreamNames"]) == {names.CLICK_STREAM, names.TRUCK_STREAM}
    tables = {names.CLICK_TABLE, names.CLICK_ITEM_TABLE, names.TRUCK_STATE_TABLE, names.API_CALLER_TABLE}
    assert set(aws.client("dynamodb").list_tables()["TableNames"]) == tables
    table = aws.client("dynamodb").describe_table(TableName=names.CLICK_TABLE)["Table"]
    assert [index["IndexName"] for index in table["GlobalSecondaryIndexes"]] == [names.CLICK_INDEX]
    functions = {f["FunctionName"] for f in aws.client("lambda").list_functions()["Functions"]}
    assert functions == {
        names.CLICK_FUNCTION,
        names.TRUCK_FUNCTION,
        names.API_FUNCTION,
        names.ARCHIVE_FUNCTION,
        names.INTAKE_FUNCTION,
    }
    assert aws.client("sns").get_topic_attributes(TopicArn=outputs["AlertTopicArn"])["Attributes"]
    archives = {outputs["ClickArchiveName"], outputs["TruckArchiveName"]}
    assert set(aws.client("firehose").list_delivery_streams()["DeliveryStreamNames"]) == archives
    alarms = {key for key, resource in declared["Resources"].items() if resource["Type"] == "AWS::CloudWatch::Alarm"}
    assert len(aws.client("cloudwatch").describe_alarms()["MetricAlarms"]) == len(alarms)

    before = statuses(aws)
    assert deploy() == outputs
    assert statuses(aws) == before
    change_sets = aws.client("cloudformation").list_change_sets(StackName=STACK)["Summaries"]
    assert [change_set["Status"] for change_set in change_sets] == ["CREATE_COMPLETE"]


def test_a_template_too_large_for_a_request_goes_through_the_bucket(aws, monkeypatch):
    monkeypatch.setattr(stack_module, "MAX_TEMPLATE_BYTES", 10_000)
    outputs = deploy()
    (template,) = aws.client("s3").list_objects_v2(Bucket=CODE_BUCKET, Prefix=stack_module.TEMPLATE_PREFIX)["Contents"]
    assert template["Size"] == len(render(TEMPLATE).encode())
    before = statuses(aws)
    # Nothing differs, and parameters that are not given are kept, even if the template is not in the request.
    assert deploy() == outputs
    assert statuses(aws) == before


def test_a_mapping_lists_all_its_settings(aws):
    deploy(BatchingWindowSeconds=2, TruckBatchingWindowSeconds=3)
    mappings = aws.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert {m["EventSourceArn"].rpartition("/")[2] for m in mappings} == {names.CLICK_STREAM, names.TRUCK_STREAM}
    windows = {m["EventSourceArn"].rpartition("/")[2]: m["MaximumBatchingWindowInSeconds"] for m in mappings}
    assert windows == {names.CLICK_STREAM: 2, names.TRUCK_STREAM: 3}
    for mapping in mappings:
        assert mapping["BatchSize"] == 500
        assert mapping["MaximumRetryAttempts"] == -1
        assert int(mapping["MaximumRecordAgeInSeconds"]) == 23 * 3600
        assert int(mapping["ParallelizationFactor"]) == 1
        assert mapping["BisectBatchOnFunctionError"] is True
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert mapping["DestinationConfig"] == {
            "OnFailure": {"Destination": f"arn:aws:s3:::{names.abandoned_bucket(BUCKET)}"}
        }
        assert mapping["StartingPosition"] == "TRIM_HORIZON"


def test_the_second_deployment_joins_snowflake_to_the_bucket(aws):
    outputs = deploy()
    assert notifications(aws) == []
    assert trust(aws, outputs)["Effect"] == "Deny"
    queue = aws.client("sqs").create_queue(QueueName="snowpipe")["QueueUrl"]
    queue_arn = f"arn:aws:sqs:{aws.environment['AWS_DEFAULT_REGION']}:000000000000:snowpipe"
    user = "arn:aws:iam::111122223333:user/snowflake"
    deploy(SnowpipeQueueArn=queue_arn, SnowflakeUserArn=user, SnowflakeExternalId="handshake")
    (notification,) = notifications(aws)
    assert notification["QueueArn"] == queue_arn
    assert trust(aws, outputs) == {
        "Effect": "Allow",
        "Principal": {"AWS": user},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "handshake"}},
    }

    s3 = aws.client("s3")
    s3.put_object(Bucket=BUCKET, Key=f"{names.QUARANTINE_PREFIX}ignored", Body=b"")
    s3.put_object(Bucket=BUCKET, Key=f"{names.LANDING_PREFIX}2026/a.json.gz", Body=b"")
    assert landed(aws, queue) == [f"{names.LANDING_PREFIX}2026/a.json.gz"]

    deploy()  # Without them: what the stack knows of Snowflake stays.
    assert notifications(aws) == [notification]


def trust(aws, outputs: dict[str, str]) -> dict[str, Any]:
    role = outputs["SnowflakeRoleArn"].rpartition("/")[2]
    (statement,) = aws.client("iam").get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]["Statement"]
    return statement


def landed(aws, queue: str) -> list[str]:
    """Return the keys of the objects that the queue was notified of, once it has been notified of one."""
    sqs = aws.client("sqs")
    keys: list[str] = []
    for _ in range(5):
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=2)
        for message in answer.get("Messages", []):
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            keys += [record["s3"]["object"]["key"] for record in json.loads(message["Body"]).get("Records", [])]
        if keys:
            break
    return keys


@pytest.mark.verify
def test_a_changed_retention_updates_the_streams_and_keeps_their_records(aws):
    deploy()
    kinesis = aws.client("kinesis")
    kinesis.put_record(StreamName=names.CLICK_STREAM, PartitionKey="a", Data=b"kept")
    deploy(StreamRetentionHours=48)
    description = kinesis.describe_stream_summary(StreamName=names.CLICK_STREAM)["StreamDescriptionSummary"]
    assert description["RetentionPeriodHours"] == 48
    (shard,) = kinesis.list_shards(StreamName=names.CLICK_STREAM)["Shards"]
    iterator = kinesis.get_shard_iterator(
        StreamName=names.CLICK_STREAM, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    assert [record["Data"] for record in kinesis.get_records(ShardIterator=iterator)["Records"]] == [b"kept"]


def test_a_failing_update_is_rolled_back_with_its_reason(aws):
    outputs = deploy()
    with pytest.raises(AirflowException) as failure:
        deploy(ClickCodeKey="missing.zip")
    message = str(failure.value)
    assert "(UPDATE_ROLLBACK_COMPLETE): ClickFunction (AWS::Lambda::Function): " in message
    assert "missing.zip" in message
    # The next deployment reports only its own events.
    assert deploy() == outputs
    with pytest.raises(AirflowException) as failure:
        deploy(TruckCodeKey="lost.zip")
    assert "TruckFunction (AWS::Lambda::Function): " in str(failure.value)
    assert "missing.zip" not in str(failure.value)


@pytest.mark.verify
def test_a_bucket_name_that_is_taken_is_named_and_the_next_attempt_recovers(aws):
    aws.client("s3").create_bucket(Bucket="taken")
    with pytest.raises(AirflowException, match=r"\(ROLLBACK_COMPLETE\): TelemetryBucket \(AWS::S3::Bucket\): .*taken"):
        deploy(TelemetryBucketName="taken")
    assert deploy()["TelemetryBucketName"] == BUCKET


def test_a_protected_stack_is_deleted_only_by_the_operator_which_leaves_nothing(aws):
    deploy(DeletionProtection=True)
    hook = StackHook(aws_conn_id=None)
    hook.protect(STACK, STACK_POLICY.read_text())
    with pytest.raises(ClientError, match="TerminationProtection"):
        hook.delete(STACK)
    dynamodb = aws.client("dynamodb")
    for table in dynamodb.list_tables()["TableNames"]:
        with pytest.raises(ClientError, match="deletion protection"):
            dynamodb.delete_table(TableName=table)
    aws.client("s3").put_object(Bucket=BUCKET, Key="k", Body=b"reading")

    delete = DeleteStackOperator(task_id="delete", stack_name=STACK, bucket=BUCKET, empty_bucket=True, aws_conn_id=None)
    delete.execute({})

    assert hook.delete(STACK) is False
    assert aws.client("kinesis").list_streams()["StreamNames"] == []
    assert aws.client("dynamodb").list_tables()["TableNames"] == []
    assert aws.client("lambda").list_event_source_mappings()["EventSourceMappings"] == []
    assert aws.client("iam").list_roles()["Roles"] == []
    assert aws.client("apigateway").get_rest_apis()["items"] == []
    assert aws.client("apigateway").get_api_keys()["items"] == []
    assert aws.client("cloudwatch").describe_alarms()["MetricAlarms"] == []
    assert [bucket["Name"] for bucket in aws.client("s3").list_buckets()["Buckets"]] == [CODE_BUCKET]
