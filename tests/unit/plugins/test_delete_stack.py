"""Taking the stack down (moto's), and the guard around the bucket."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import boto3
import pytest
from airflow.sdk.exceptions import AirflowFailException
from clicks_to_deliveries.operators.delete_stack import DeleteStackOperator
from moto import mock_aws

pytestmark = pytest.mark.unit

REGION = "us-east-1"
TEMPLATE = {
    "Resources": {
        "Bucket": {
            "Type": "AWS::S3::Bucket",
            "Properties": {"BucketName": "telemetry"},
        }
    }
}


@pytest.fixture(autouse=True)
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps({"conn_type": "aws", "extra": {"region_name": REGION}}))
    with mock_aws():
        boto3.client("cloudformation", REGION).create_stack(StackName="s", TemplateBody=json.dumps(TEMPLATE))
        # moto's CloudFormation makes no bucket versioned.
        versioned = {"Status": "Enabled"}
        boto3.client("s3", REGION).put_bucket_versioning(Bucket="telemetry", VersioningConfiguration=versioned)
        yield


def delete(empty_bucket: bool) -> None:
    # As the DAG gives it: rendered from a parameter.
    DeleteStackOperator(task_id="d", stack_name="s", bucket="telemetry", empty_bucket=str(empty_bucket)).execute({})


def stacks() -> list[str]:
    return [s["StackName"] for s in boto3.client("cloudformation", REGION).describe_stacks()["Stacks"]]


def test_an_empty_stack_goes_and_going_twice_is_fine() -> None:
    delete(empty_bucket=False)
    assert stacks() == []
    delete(empty_bucket=False)


def test_a_bucket_with_objects_is_refused_before_anything_is_touched() -> None:
    s3 = boto3.client("s3", REGION)
    s3.put_object(Bucket="telemetry", Key="k", Body=b"reading")
    with pytest.raises(AirflowFailException, match="holds objects"):
        delete(empty_bucket=False)
    assert stacks() == ["s"]
    assert s3.get_object(Bucket="telemetry", Key="k")["Body"].read() == b"reading"


def test_a_bucket_whose_objects_are_only_hidden_by_delete_markers_is_refused_too() -> None:
    s3 = boto3.client("s3", REGION)
    s3.put_object(Bucket="telemetry", Key="k", Body=b"reading")
    s3.delete_object(Bucket="telemetry", Key="k")
    with pytest.raises(AirflowFailException, match="holds objects"):
        delete(empty_bucket=False)


def test_when_asked_every_version_goes_and_then_the_stack() -> None:
    s3 = boto3.client("s3", REGION)
    for body in (b"1", b"2"):
        s3.put_object(Bucket="telemetry", Key="k", Body=body)
    s3.delete_object(Bucket="telemetry", Key="k")
    delete(empty_bucket=True)
    assert stacks() == []
    assert s3.list_buckets()["Buckets"] == []
