"""The template of the identities, read as data: its names are the pipeline's, with the environment in front."""

import json
import re
from typing import Any

import pytest

from include import names
from include.cloudformation import IDENTITIES
from include.cloudformation.render import load, render

pytestmark = pytest.mark.unit

RESOURCES = load(IDENTITIES)["Resources"]
ARNS = sorted(set(re.findall(r'"(arn:Partition:[^"]+)"', re.sub(r"\$\{AWS::(\w+)\}", r"\1", render(IDENTITIES)))))
ROLES = {key: value["Properties"] for key, value in RESOURCES.items() if value["Type"] == "AWS::IAM::Role"}
# What an ARN has before the name, by service; the names of the other services are made up by AWS or the stack.
NAMED = {
    "kinesis": ("stream/", {names.CLICK_STREAM, names.TRUCK_STREAM}),
    "dynamodb": (
        "table/",
        {names.CLICK_TABLE, names.CLICK_ITEM_TABLE, names.TRUCK_STATE_TABLE, names.API_CALLER_TABLE},
    ),
    "sns": ("", {names.ALERT_TOPIC}),
    "lambda": (
        "function:",
        {
            *(names.CLICK_FUNCTION, names.TRUCK_FUNCTION, names.INTAKE_FUNCTION),
            *(names.API_FUNCTION, names.ARCHIVE_FUNCTION),
        },
    ),
}


def statements(node: Any) -> list[dict[str, Any]]:
    """Every statement below ``node``."""
    if isinstance(node, dict):
        return [node] if "Effect" in node else [found for child in node.values() for found in statements(child)]
    return [found for child in node for found in statements(child)] if isinstance(node, list) else []


@pytest.mark.parametrize("service", NAMED)
def test_each_name_is_the_pipelines_behind_the_environment(service):
    before, known = NAMED[service]
    found = [arn.split(":", 5)[5] for arn in ARNS if arn.split(":")[2] == service and "event-source" not in arn]
    for name in found:
        assert name.startswith(f"{before}${{NamePrefix}}"), name
    plain = {name.removeprefix(f"{before}${{NamePrefix}}").removesuffix("*").partition("/")[0] for name in found}
    assert plain == known


def test_no_literal_of_a_stream_lacks_the_environment():
    text = json.dumps(RESOURCES)
    for name in (names.CLICK_STREAM, names.TRUCK_STREAM):
        assert re.findall(rf"(?<!NamePrefix\}}){name}\b", text) == []


def test_a_job_is_let_in_by_name_and_no_role_lies_where_the_stack_role_may_change_it():
    for role in ROLES.values():
        assert role["Path"] == "/identities/"
        (trust,) = statements(role["AssumeRolePolicyDocument"])
        assert trust["Principal"].keys() <= {"AWS", "Service"}
        assert "*" not in json.dumps(trust["Principal"])


def test_whoever_makes_or_widens_a_role_is_bound_by_the_boundary():
    widening = {"iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:PutRolePermissionsBoundary"}
    for statement in statements(RESOURCES):
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert not any(action.endswith("*") for action in actions), actions
        if widening & set(actions):
            assert statement["Condition"] == {"StringEquals": {"iam:PermissionsBoundary": {"Ref": "PipelineBoundary"}}}
        assert "iam:DeleteRolePermissionsBoundary" not in actions


def test_data_is_read_or_written_by_no_deployment():
    of_data = re.compile(
        r"(s3:(Get|Put|Delete)Object\w*|dynamodb:(\w*Item|Query|Scan|PartiQL\w*)|kinesis:(GetRecords|PutRecords?)"
        r"|lambda:InvokeFunction|sns:Publish|logs:(GetLogEvents|FilterLogEvents|PutLogEvents))$"
    )
    for policy in ("StackStoresPolicy", "StackFunctionsPolicy"):
        for statement in statements(RESOURCES[policy]):
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            found = [action for action in actions if of_data.match(action)]
            # The Lambda service reads a bundle as whoever makes the function.
            assert found == [] or (statement["Sid"], found) == ("Bundles", ["s3:GetObject"])


def test_policies_are_as_short_as_aws_wants_them_with_the_longest_names():
    """A managed policy has at most 6,144 characters, and all policies of a role together 10,240.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    """
    for logical_id, resource in RESOURCES.items():
        properties = resource["Properties"]
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            assert _length(properties["PolicyDocument"]) <= 6144, logical_id
        if resource["Type"] == "AWS::IAM::Role":
            inline = sum(_length(policy["PolicyDocument"]) for policy in properties.get("Policies", []))
            assert inline + _length(RESOURCES["TeardownPolicy"]["Properties"]["PolicyDocument"]) <= 10_240, logical_id


LONGEST = {
    "AWS::Partition": "aws-us-gov",
    "AWS::Region": "ap-southeast-2",
    "AWS::AccountId": "123456789012",
    "StackName": 54 * "s",
    "NamePrefix": 17 * "n",
    "TelemetryBucketName": 53 * "t",
    "DeploymentBucketName": 63 * "d",
}


def _length(document: Any) -> int:
    """How long a policy is for AWS, which does not count spaces."""

    def filled(node: Any) -> Any:
        match node:
            case {"Fn::Sub": str(text)}:
                return re.sub(r"\$\{([\w:]+)\}", lambda found: LONGEST[found[1]], text)
            case {"Ref": str(name)}:
                return LONGEST.get(name, 120 * "r")
            case {"Fn::GetAtt": _}:
                return 120 * "a"
            case dict():
                return {key: filled(value) for key, value in node.items()}
            case list():
                return [filled(value) for value in node]
        return node

    return len(json.dumps(filled(document), separators=(",", ":")))
