"""What is deployed of a template: its includes in their place, its API deployments named by what they serve."""

from __future__ import annotations

import json

import pytest
import yaml

from include import names
from include.cloudformation import OPENAPI, TEMPLATE
from include.cloudformation.render import load, render
from tests.fixtures.named_template import named_template

pytestmark = pytest.mark.unit

DEPLOYMENT = "AWS::ApiGateway::Deployment"


@pytest.fixture
def rendered(tmp_path):
    """Writes files and renders template.yaml of them."""

    def write(**files: str) -> dict:
        for name, text in files.items():
            (tmp_path / f"{name}.yaml").write_text(text)
        return json.loads(render(tmp_path / "template.yaml"))

    return write


def deployments(document: dict) -> list[str]:
    return [logical_id for logical_id, each in document["Resources"].items() if each["Type"] == DEPLOYMENT]


@pytest.mark.verify
def test_short_forms_are_read_as_cloudformations_own_linter_reads_them():
    from cfnlint.decode.cfn_yaml import load as load_with_cfnlint  # Seconds, which few tests need.

    assert load(TEMPLATE) == json.loads(json.dumps(load_with_cfnlint(str(TEMPLATE))))


def test_the_api_is_the_openapi_document_and_the_rest_is_the_template():
    document = json.loads(render(TEMPLATE))
    source = load(TEMPLATE)

    api = document["Resources"]["TelemetryApi"]["Properties"]
    openapi = yaml.safe_load(OPENAPI.read_text())
    assert without_security(api["Body"]) == without_security(
        openapi | {"info": openapi["info"] | {"title": api["Name"]}}
    )
    assert document["Parameters"] == source["Parameters"]
    assert document["Outputs"] == source["Outputs"]
    (deployment,) = deployments(document)
    assert document["Resources"]["ApiStage"]["Properties"]["DeploymentId"] == {"Ref": deployment}
    changed = {"TelemetryApi", "ApiStage", deployment}
    assert {key: value for key, value in document["Resources"].items() if key not in changed} == {
        key: value for key, value in source["Resources"].items() if key not in {*changed, "ApiDeployment"}
    }


def without_security(openapi: dict) -> dict:
    """A copy without what differs between deployments."""
    copy = json.loads(json.dumps(openapi))
    del copy["components"]["securitySchemes"]
    for path in copy["paths"].values():
        for operation in path.values():
            del operation["security"]
    return copy


def test_a_deployment_asks_for_everything_in_the_alternative_that_its_settings_choose():
    body = json.loads(render(TEMPLATE))["Resources"]["TelemetryApi"]["Properties"]["Body"]

    def decided(node, true):
        """``node`` with its conditions decided, as CloudFormation does."""
        if isinstance(node, dict) and "Fn::If" in node:
            condition, then, otherwise = node["Fn::If"]
            return decided(then if condition == true else otherwise, true)
        return node

    schemes = body["components"]["securitySchemes"]
    for true, asked in (("", ["apiKey"]), ("SignedRequests", ["apiKey", "signature"]), ("Tokens", ["apiKey", "token"])):
        for operation in (operation for path in body["paths"].values() for operation in path.values()):
            assert decided(operation["security"], true) == [{name: []} for name in asked]
        there = {name for name, each in schemes.items() if decided(each, true) != {"Ref": "AWS::NoValue"}}
        assert there == set(asked)
    assert "x-condition" not in json.dumps(body)
    assert load(TEMPLATE)["Conditions"].keys() >= {"SignedRequests", "Tokens"}


@pytest.mark.verify
def test_the_rendered_template_is_clean_for_cfn_lint():
    # W3660: gateway responses besides a Body; docs/adr/0014 says why.
    from cfnlint.api import ManualArgs, lint

    assert lint(render(TEMPLATE), config=ManualArgs(ignore_checks=["W3660"])) == []


def test_rendering_twice_gives_the_same_bytes():
    assert render(TEMPLATE) == render(TEMPLATE)


API = """
Resources:
  Api: {Type: AWS::ApiGateway::RestApi, Properties: {Body: {Fn::Transform: {Name: AWS::Include, Parameters: {Location: api.yaml}}}}}
  Refusal: {Type: AWS::ApiGateway::GatewayResponse, Properties: {RestApiId: !Ref Api, StatusCode: "STATUS"}}
  Deployment: {Type: AWS::ApiGateway::Deployment, DependsOn: Refusal, Properties: {RestApiId: !Ref Api}}
  Stage: {Type: AWS::ApiGateway::Stage, Properties: {RestApiId: !Ref Api, DeploymentId: !Ref Deployment}}
  Queue: {Type: AWS::SQS::Queue, Properties: {DelaySeconds: DELAY}}
"""  # noqa: E501
TEMPLATE_TEXT = API.replace("STATUS", "403").replace("DELAY", "1")


def test_a_changed_definition_is_a_new_deployment_and_anything_else_is_not(rendered):
    (first,) = deployments(rendered(template=TEMPLATE_TEXT, api="paths: {/a: {}}"))
    (same,) = deployments(rendered(template=TEMPLATE_TEXT.replace("DelaySeconds: 1", "DelaySeconds: 2")))
    (other_path,) = deployments(rendered(api="paths: {/b: {}}"))
    (other_refusal,) = deployments(rendered(template=TEMPLATE_TEXT.replace("403", "401")))

    assert first == same
    assert len({first, other_path, other_refusal}) == 3
    assert all(each.startswith("Deployment") and each.isalnum() for each in (first, other_path, other_refusal))


def test_another_value_of_a_parameter_in_the_definition_is_a_new_deployment(tmp_path):
    condition = "Parameters: {Who: {Type: String, Default: key}, Delay: {Type: Number, Default: 1}}\n"
    condition += "Conditions: {Signed: !Equals [!Ref Who, iam]}\n"
    (tmp_path / "template.yaml").write_text(
        condition + TEMPLATE_TEXT.replace("DelaySeconds: 1", "DelaySeconds: !Ref Delay")
    )
    (tmp_path / "api.yaml").write_text("paths: {/a: {Fn::If: [Signed, x, y]}}")

    def deployed(**parameters: str) -> str:
        (found,) = deployments(json.loads(render(tmp_path / "template.yaml", parameters)))
        return found

    assert deployed() == deployed(Who="key") == deployed(Delay="2")
    assert deployed(Who="iam") != deployed()


def test_who_may_call_is_part_of_the_apis_deployment():
    deployed = {
        tuple(deployments(json.loads(render(TEMPLATE, parameters))))
        for parameters in (
            {"ApiAuthorization": "key", "ApiRateLimit": "7"},
            {"ApiAuthorization": "iam"},
            {"ApiAuthorization": "jwt", "ApiUserPoolArns": "a"},
            {"ApiAuthorization": "jwt", "ApiUserPoolArns": "b"},
            {},
        )
    }
    assert len(deployed) == 4


def test_a_comment_in_the_document_is_no_new_deployment(rendered):
    first = rendered(template=TEMPLATE_TEXT, api="paths: {/a: {}}")

    assert rendered(api="# Said again.\npaths:\n  /a: {}") == first


def test_an_include_that_is_in_s3_is_left_to_cloudformation(rendered):
    include = {"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "s3://bucket/api.yaml"}}}

    assert rendered(template=json.dumps({"Resources": {}, "Mappings": include}))["Mappings"] == include


def test_a_missing_include_is_named(rendered):
    with pytest.raises(FileNotFoundError, match=r"api\.yaml"):
        rendered(template=TEMPLATE_TEXT)


def test_a_value_that_json_has_not_is_refused(rendered):
    with pytest.raises(TypeError, match="date"):
        rendered(template="Resources: {}\nVersion: 2012-10-17")


def test_names_of_the_api_are_those_of_the_other_parts():
    resources = named_template(load(TEMPLATE))["Resources"]
    document = yaml.safe_load(OPENAPI.read_text())
    assert resources["TelemetryApi"]["Properties"]["Name"] == document["info"]["title"] == names.API
    assert resources["ApiStage"]["Properties"]["StageName"] == names.API_STAGE
    (api,) = (d for d in resources["ApiErrorAlarm"]["Properties"]["Dimensions"] if d["Name"] == "ApiName")
    assert api["Value"] == names.API
    assert resources["ApiInvokesFunction"]["Properties"]["SourceArn"]["Fn::Sub"].endswith(f"/{names.API_STAGE}/*")


def test_an_apis_title_is_its_name():
    resources = json.loads(render(TEMPLATE))["Resources"]
    properties = named_template({"Resources": resources}, "staging-")["Resources"]["TelemetryApi"]["Properties"]
    assert properties["Body"]["info"]["title"] == properties["Name"] == "staging-truck-telemetry"


def test_every_gateway_response_is_part_of_the_deployment_and_a_problem_document():
    resources = load(TEMPLATE)["Resources"]
    responses = {k: v["Properties"] for k, v in resources.items() if v["Type"] == "AWS::ApiGateway::GatewayResponse"}
    assert set(resources["ApiDeployment"]["DependsOn"]) == responses.keys()
    for response in responses.values():
        content_type = response["ResponseParameters"]["gatewayresponse.header.Content-Type"]
        assert content_type == "'application/problem+json'"
        templates = alternatives(response["ResponseTemplates"]["application/json"])
        statuses = alternatives(response["StatusCode"]) if "StatusCode" in response else []
        problems = [json.loads(template.replace("$context.error.messageString", '"x"')) for template in templates]
        assert all(problem.keys() >= {"type", "title", "detail", "instance"} for problem in problems)
        assert [problem["status"] for problem in problems if "status" in problem] == list(map(int, statuses))


def alternatives(value: str | dict) -> list[str]:
    """A value, or both of those that a condition decides between."""
    return value["Fn::If"][1:] if isinstance(value, dict) else [value]


def test_the_keys_value_is_nowhere_in_the_template():
    resources = load(TEMPLATE)["Resources"]
    keys = [each for each in resources.values() if each["Type"] == "AWS::ApiGateway::ApiKey"]
    assert len(keys) == 1
    assert "Value" not in keys[0]["Properties"]


def test_every_operation_needs_a_key_and_calls_the_function():
    document = yaml.safe_load(OPENAPI.read_text())
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert [operation["operationId"] for operation in operations] == ["sendTelemetry", "listTrucks", "getTruck"]
    for operation in operations:
        # API Gateway ignores what stands at the root of the document.
        assert operation["security"] == [{"apiKey": []}, {"apiKey": [], "signature": []}, {"apiKey": [], "token": []}]
        integration = operation["x-amazon-apigateway-integration"]
        assert (integration["type"], integration["httpMethod"]) == ("aws_proxy", "POST")
        assert "${ApiFunction.Arn}/invocations" in integration["uri"]["Fn::Sub"]
