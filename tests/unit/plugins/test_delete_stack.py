"""Deleting the stack (moto's), and the guard around the bucket."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from clicks_to_deliveries.hooks.stack import StackHook
from clicks_to_deliveries.operators.delete_stack import STOP, DeleteStackOperator

pytestmark = pytest.mark.unit

TEMPLATE = {
    "Parameters": {name: {"Type": "String", "Default": "none"} for name in (*STOP, "Kept")},
    "Resources": {
        "Bucket": {
            "Type": "AWS::S3::Bucket",
            "Properties": {"BucketName": "telemetry"},
        },
        "Abandoned": {
            "Type": "AWS::S3::Bucket",
            "Properties": {"BucketName": "telemetry-abandoned"},
        },
    },
}


@pytest.fixture(autouse=True)
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the hook did, in order.  moto has no termination protection, so lifting it is only recorded."""
    calls: list[str] = []

    def recorded(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **options: Any) -> Any:
            calls.append(real.__name__)
            return real(*given, **options)

        return call

    monkeypatch.setattr(StackHook, "unprotect", lambda self, stack_name: calls.append("unprotect"))
    monkeypatch.setattr(StackHook, "set_parameters", recorded(StackHook.set_parameters))
    monkeypatch.setattr(StackHook, "delete", recorded(StackHook.delete))
    return calls


@pytest.fixture(autouse=True)
def stack(aws: Callable[[str], Any]) -> None:
    aws("cloudformation").create_stack(StackName="s", TemplateBody=json.dumps(TEMPLATE))
    # moto's CloudFormation makes no bucket versioned.
    versioned = {"Status": "Enabled"}
    aws("s3").put_bucket_versioning(Bucket="telemetry", VersioningConfiguration=versioned)


def delete(empty_bucket: bool) -> None:
    # As the DAG gives it: rendered from a parameter.
    DeleteStackOperator(task_id="d", stack_name="s", bucket="telemetry", empty_bucket=str(empty_bucket)).execute({})


def stacks(aws: Callable[[str], Any]) -> list[str]:
    return [stack["StackName"] for stack in aws("cloudformation").describe_stacks()["Stacks"]]


def test_an_empty_stack_goes_and_going_twice_is_fine(aws: Callable[[str], Any]) -> None:
    delete(empty_bucket=False)
    assert stacks(aws) == []
    delete(empty_bucket=False)


def test_a_bucket_with_objects_is_refused_before_anything_is_touched(
    aws: Callable[[str], Any], done: list[str]
) -> None:
    s3 = aws("s3")
    s3.put_object(Bucket="telemetry", Key="k", Body=b"reading")
    with pytest.raises(AirflowFailException, match="holds objects"):
        delete(empty_bucket=False)
    assert stacks(aws) == ["s"]
    assert done == []
    assert s3.get_object(Bucket="telemetry", Key="k")["Body"].read() == b"reading"


def test_abandoned_batches_keep_the_stack_as_well(aws: Callable[[str], Any]) -> None:
    s3 = aws("s3")
    s3.put_object(Bucket="telemetry-abandoned", Key="aws/lambda/batch", Body=b"batch")
    with pytest.raises(AirflowFailException, match="telemetry-abandoned holds objects"):
        delete(empty_bucket=False)
    assert stacks(aws) == ["s"]
    delete(empty_bucket=True)
    assert s3.list_buckets()["Buckets"] == []


def test_a_bucket_whose_objects_are_only_hidden_by_delete_markers_is_refused_too(aws: Callable[[str], Any]) -> None:
    s3 = aws("s3")
    s3.put_object(Bucket="telemetry", Key="k", Body=b"reading")
    s3.delete_object(Bucket="telemetry", Key="k")
    with pytest.raises(AirflowFailException, match="holds objects"):
        delete(empty_bucket=False)


def test_when_asked_every_version_goes_and_then_the_stack(aws: Callable[[str], Any]) -> None:
    s3 = aws("s3")
    for body in (b"1", b"2"):
        s3.put_object(Bucket="telemetry", Key="k", Body=body)
    s3.delete_object(Bucket="telemetry", Key="k")
    delete(empty_bucket=True)
    assert stacks(aws) == []
    assert s3.list_buckets()["Buckets"] == []


def test_the_stack_is_stopped_and_unprotected_before_a_bucket_is_emptied(
    aws: Callable[[str], Any], done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    aws("s3").put_object(Bucket="telemetry", Key="k", Body=b"reading")
    aws("cloudformation").update_stack(
        StackName="s",
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": "Kept", "ParameterValue": "mine"}],
    )
    seen: list[Any] = []

    def delete_then_look(self: StackHook, stack_name: str, **_: Any) -> bool:
        seen.append(self.parameters(stack_name))
        seen.append(aws("s3").list_objects_v2(Bucket="telemetry")["KeyCount"])
        return True

    def unprotect_and_look(self: StackHook, stack_name: str) -> None:
        seen.append(aws("s3").list_objects_v2(Bucket="telemetry")["KeyCount"])

    monkeypatch.setattr(StackHook, "delete", delete_then_look)
    monkeypatch.setattr(StackHook, "unprotect", unprotect_and_look)

    delete(empty_bucket=True)

    assert seen == [1, {**STOP, "Kept": "mine"}, 0]


def test_a_stack_of_an_older_template_is_deleted_without_the_parameters_that_it_lacks(
    aws: Callable[[str], Any], done: list[str]
) -> None:
    older = {"Parameters": {"Kept": {"Type": "String"}}, "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}
    kept = [{"ParameterKey": "Kept", "ParameterValue": "mine"}]
    aws("cloudformation").create_stack(StackName="older", TemplateBody=json.dumps(older), Parameters=kept)
    DeleteStackOperator(task_id="d", stack_name="older", bucket="no-such-bucket").execute({})
    assert stacks(aws) == ["s"]
    assert done == ["set_parameters", "unprotect", "delete"]
