"""CloudFormation acts as the role that it is given: how far that role goes, and the roles that it makes."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from include.local.demo import aws_administrator
from tests.fixtures.deployment import STACK

pytestmark = pytest.mark.integration

STACK_ROLE = aws_administrator.role_arn(STACK, "stack")
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
BOUNDED = {"PermissionsBoundary": aws_administrator.boundary_arn(STACK)}


def role(**more: Any) -> dict[str, Any]:
    return {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST, **more}}


def deploy(account: Any, name: str, resource: dict[str, Any], role_arn: str = STACK_ROLE) -> str:
    """Deploy a stack of one resource, as ``role_arn``; return why CloudFormation failed, or ""."""
    cloudformation = account.client("cloudformation")
    cloudformation.create_change_set(
        StackName=name,
        ChangeSetName="create",
        ChangeSetType="CREATE",
        TemplateBody=json.dumps({"Resources": {"Thing": resource}}),
        Capabilities=["CAPABILITY_NAMED_IAM"],
        RoleARN=role_arn,
    )
    cloudformation.execute_change_set(StackName=name, ChangeSetName="create")
    deadline = time.monotonic() + 30
    while "IN_PROGRESS" in cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    failed = [each["ResourceStatusReason"] for each in events if each["ResourceStatus"] == "CREATE_FAILED"]
    return failed[-1] if failed else ""


@pytest.mark.parametrize(
    ("name", "resource", "action"),
    [
        ("another-stream", {"Type": "AWS::Kinesis::Stream", "Properties": {"Name": "Another"}}, "kinesis:CreateStream"),
        ("another-queue", {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "queue"}}, "stack_role.py"),
        # A role without the boundary, with another one, and outside the stack's names.
        (f"{STACK}-unbounded", role(), "iam:CreateRole"),
        (f"{STACK}-admin", role(PermissionsBoundary="arn:aws:iam::aws:policy/AdministratorAccess"), "iam:CreateRole"),
        ("foreign", role(**BOUNDED), "iam:CreateRole"),
        ("taken", role(RoleName=f"{STACK}-new", Path="/identities/", **BOUNDED), "iam:CreateRole"),
        # A key that is not marked as the pipeline's.
        ("key", {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": TRUST}}, "kms:CreateKey"),
    ],
    ids=["stream", "type", "unbounded", "other-boundary", "other-name", "identity", "key"],
)
def test_the_stack_role_makes_nothing_but_the_pipeline(account, name, resource, action):
    assert action in deploy(account, name, resource)


def test_the_stack_role_makes_a_role_within_the_boundary(account):
    name = f"{STACK}-bounded"
    assert deploy(account, name, role(**BOUNDED)) == ""
    account.client("cloudformation").delete_stack(StackName=name)


def test_another_identity_is_no_role_for_cloudformation(account):
    stream = {"Type": "AWS::Kinesis::Stream", "Properties": {"Name": "ClickDataStream"}}
    with pytest.raises(ClientError, match="invalid or cannot be assumed"):
        deploy(account, "as-traffic", stream, aws_administrator.role_arn(STACK, "traffic"))


def test_the_boundary_limits_a_role_whatever_its_policy_allows(account):
    iam, name = account.client("iam"), account.ids["ApiFunctionRole"]
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_role_policy(RoleName=name, PolicyName="everything", PolicyDocument=json.dumps(everything))
    try:
        for service, operation in (("iam", "list_users"), ("sns", "list_topics"), ("s3", "list_buckets")):
            with pytest.raises(ClientError, match=r"not authorized|AccessDenied"):
                getattr(account.as_role("ApiFunctionRole", service), operation)()
    finally:
        iam.delete_role_policy(RoleName=name, PolicyName="everything")
