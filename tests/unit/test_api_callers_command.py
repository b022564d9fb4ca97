"""``python -m include.api_callers`` on moto; the integration tests run it against the deployed API."""

from __future__ import annotations

import json
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from include import api_callers, names

pytestmark = pytest.mark.unit


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A stack that has what the command reads of one, and the table; ``api_authorization`` is iam."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with mock_aws():
        template = {
            "Parameters": {"ApiAuthorization": {"Type": "String"}},
            "Resources": {
                "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "api"}},
                "Callers": {
                    "Type": "AWS::DynamoDB::Table",
                    "Properties": {
                        "TableName": names.API_CALLER_TABLE,
                        "BillingMode": "PAY_PER_REQUEST",
                        "AttributeDefinitions": [{"AttributeName": "Caller", "AttributeType": "S"}],
                        "KeySchema": [{"AttributeName": "Caller", "KeyType": "HASH"}],
                    },
                },
            },
            "Outputs": {"ApiId": {"Value": {"Ref": "Api"}}},
        }
        boto3.client("cloudformation").create_stack(
            StackName="pipeline",
            TemplateBody=json.dumps(template),
            Parameters=[{"ParameterKey": "ApiAuthorization", "ParameterValue": "iam"}],
        )
        yield


def run(*arguments: str) -> int:
    return api_callers.main(["--stack", "pipeline", *arguments])


def test_where_requests_are_signed_a_caller_is_an_identity_and_not_its_key(deployed, capsys):
    assert run("add", "fleet", "--sends", "TRK001") == 1
    assert "--caller" in capsys.readouterr().err
    assert boto3.client("apigateway").get_api_keys()["items"] == []


@pytest.mark.parametrize(
    ("given", "registered"),
    [
        ("arn:aws:iam::123456789012:role/services/fleet", "arn:aws:sts::123456789012:assumed-role/fleet"),
        ("arn:aws-cn:iam::123456789012:role/fleet", "arn:aws-cn:sts::123456789012:assumed-role/fleet"),
        ("arn:aws:iam::123456789012:user/fleet", "arn:aws:iam::123456789012:user/fleet"),
        ("c4f8-subject", "c4f8-subject"),
    ],
)
def test_a_role_is_registered_as_api_gateway_names_it(deployed, capsys, given, registered):
    assert run("add", "fleet", "--sends", "TRK002,TRK001,TRK002", "--caller", given) == 0
    capsys.readouterr()
    assert run("list") == 0
    assert capsys.readouterr().out == f"fleet\t{registered}\tTRK001,TRK002\t-\n"


def test_a_stack_that_is_missing_is_an_error_in_one_line(deployed, capsys):
    assert api_callers.main(["--stack", "missing", "list"]) == 1
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.parametrize("ids", ["", "TRK001,", "x" * 65, ",".join(f"T{number}" for number in range(2001))])
def test_unusable_truck_ids_are_a_usage_error(ids, capsys):
    with pytest.raises(SystemExit) as end:
        run("set", "fleet", "--reads", ids)
    assert end.value.code == 2
