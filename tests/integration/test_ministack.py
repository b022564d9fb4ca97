"""MiniStack as we start it."""

import json
import resource
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import psutil
import pytest
from botocore.exceptions import ClientError

from tests.fixtures.waiting import wait_for

pytestmark = pytest.mark.integration

ROLE = "arn:aws:iam::000000000000:role/any"


def function_zip(source: str) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", source)
    return buffer.getvalue()


def create_function(client, name: str, source: str, **more) -> None:
    client.create_function(
        FunctionName=name,
        Runtime="python3.11",
        Handler="index.handler",
        Role=ROLE,
        Code={"ZipFile": function_zip(source)},
        Timeout=30,
        **more,
    )


def test_a_lambda_sees_nothing_of_the_hosts_settings(own_ministack, monkeypatch):
    own_ministack.stop()
    monkeypatch.setenv("CTD_DEPLOYMENT_BUCKET", "leaked")
    monkeypatch.setenv("AIRFLOW_HOME", "/leaked")
    own_ministack.start()
    client = own_ministack.client("lambda")
    source = (
        "import os, sys\ndef handler(event, context):\n    return {'names': sorted(os.environ), 'path': sys.path}\n"
    )
    create_function(client, "environment", source)
    answer = json.load(client.invoke(FunctionName="environment")["Payload"])
    assert not [name for name in answer["names"] if name.startswith(("CTD_", "AIRFLOW", "PYTHONPATH", "VIRTUAL_ENV"))]
    assert "AWS_ENDPOINT_URL" in answer["names"]
    assert str(Path.cwd()) not in answer["path"]


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_ending_the_server_leaves_no_lambda_worker(own_ministack, end):
    client = own_ministack.client("lambda")
    create_function(client, "idle", "def handler(event, context):\n    return 1\n")
    client.invoke(FunctionName="idle")
    workers = psutil.Process(own_ministack.process.pid).children(recursive=True)
    assert workers
    getattr(own_ministack, end)()
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert not alive


def test_state_and_objects_survive_a_stop(own_ministack):
    s3, kinesis = own_ministack.client("s3"), own_ministack.client("kinesis")
    s3.create_bucket(Bucket="kept")
    s3.put_object(Bucket="kept", Key="a/b", Body=b"object")
    kinesis.create_stream(StreamName="kept", ShardCount=1)
    own_ministack.stop()
    own_ministack.start()
    assert s3.get_object(Bucket="kept", Key="a/b")["Body"].read() == b"object"
    assert kinesis.list_streams()["StreamNames"] == ["kept"]


@pytest.mark.verify
def test_nothing_acknowledged_is_lost_when_the_server_is_killed(own_ministack):
    s3, kinesis, dynamodb, sqs, iam = (
        own_ministack.client(service) for service in ("s3", "kinesis", "dynamodb", "sqs", "iam")
    )
    key = {"AttributeName": "id", "KeyType": "HASH"}
    kinesis.create_stream(StreamName="kept", ShardCount=2)
    dynamodb.create_table(
        TableName="kept",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[key],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    queue = sqs.create_queue(QueueName="kept")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    s3.create_bucket(Bucket="kept")
    notify = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket="kept", NotificationConfiguration=notify)
    iam.create_user(UserName="kept")
    _wait_until_saved(own_ministack, iam="kept", s3="kept", kinesis="kept", dynamodb="kept", sqs="kept")

    # All that comes now is newer than what was saved, and the server is killed twice before it saves again.
    for number in range(2):
        records = [{"Data": f"{number} {n}".encode(), "PartitionKey": str(n)} for n in range(20)]
        kinesis.put_records(StreamName="kept", Records=records)
        dynamodb.put_item(TableName="kept", Item={"id": {"S": "replaced"}, "n": {"N": str(number)}})
        dynamodb.put_item(TableName="kept", Item={"id": {"S": f"deleted {number}"}})
        dynamodb.delete_item(TableName="kept", Key={"id": {"S": f"deleted {number}"}})
        s3.put_object(Bucket="kept", Key=f"object {number}", Body=b"object")
        own_ministack.kill()
        own_ministack.start()

    assert sorted(_records(kinesis)) == sorted(f"{number} {n}".encode() for number in range(2) for n in range(20))
    assert dynamodb.scan(TableName="kept")["Items"] == [{"id": {"S": "replaced"}, "n": {"N": "1"}}]
    assert iam.get_user(UserName="kept")["User"]["UserName"] == "kept"
    bodies = [json.loads(message["Body"]) for message in _messages(sqs, queue)]
    keys = [body["Records"][0]["s3"]["object"]["key"] for body in bodies if "Records" in body]
    assert keys == ["object+0", "object+1"]
    # What was deleted does not come back.
    own_ministack.kill()
    own_ministack.start()
    assert _messages(sqs, queue) == []


@pytest.mark.verify
def test_nothing_is_acknowledged_while_the_disk_is_full(own_ministack):
    s3, kinesis, dynamodb = (own_ministack.client(service) for service in ("s3", "kinesis", "dynamodb"))
    s3.create_bucket(Bucket="full")
    kinesis.create_stream(StreamName="kept", ShardCount=1)
    dynamodb.create_table(
        TableName="full",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    _wait_until_saved(own_ministack, s3="full", kinesis="kept", dynamodb="full")
    calls = [
        lambda: s3.put_object(Bucket="full", Key="object", Body=b"object", IfNoneMatch="*"),
        lambda: kinesis.put_record(StreamName="kept", Data=b"record", PartitionKey="1"),
        lambda: dynamodb.put_item(TableName="full", Item={"id": {"S": "item"}}),
    ]
    _, hard = resource.prlimit(own_ministack.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(own_ministack.process.pid, resource.RLIMIT_FSIZE, (1, hard))
    for call in calls:
        with pytest.raises(ClientError) as refusal:
            call()
        assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert _records(kinesis) == []
    assert dynamodb.scan(TableName="full")["Items"] == []

    resource.prlimit(own_ministack.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
    for call in calls:
        call()
    own_ministack.kill()
    own_ministack.start()
    assert _records(kinesis) == [b"record"]
    assert dynamodb.scan(TableName="full")["Items"] == [{"id": {"S": "item"}}]
    assert s3.get_object(Bucket="full", Key="object")["Body"].read() == b"object"


def _wait_until_saved(server, **texts: str) -> None:
    """What is not written with each call is saved within seconds: here, when the file of the service has the text."""
    for service, text in texts.items():
        file = server.state / "services" / f"{service}.json"
        wait_for(lambda file=file, text=text: file.exists() and text in file.read_text(), f"{service} to be saved")


def _records(kinesis) -> list[bytes]:
    found = []
    for shard in kinesis.list_shards(StreamName="kept")["Shards"]:
        at = {"StreamName": "kept", "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        answer = kinesis.get_records(ShardIterator=kinesis.get_shard_iterator(**at)["ShardIterator"])
        found += [record["Data"] for record in answer["Records"]]
    return found


def _messages(sqs, queue: str) -> list[dict]:
    """Receive and delete all messages."""
    found = []
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
        found += messages
        for message in messages:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return found


def test_stops_while_clients_hold_connections_open(own_ministack):
    clients = [own_ministack.client("sqs") for _ in range(3)]
    for client in clients:
        client.list_queues()
    own_ministack.stop()  # Raises if it takes longer than 20 s.


def test_a_taken_port_is_one_clear_line(ministack, tmp_path):
    command = [
        sys.executable,
        "-m",
        "include.local.aws.ministack",
        "--port",
        str(ministack.port),
        "--state",
        str(tmp_path),
    ]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert result.stderr == f"error: MiniStack can't listen on 127.0.0.1:{ministack.port}: Address already in use\n"
