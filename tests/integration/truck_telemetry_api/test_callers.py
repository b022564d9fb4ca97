"""Callers of the deployed API: a customer with its trucks and limits, signatures, and tokens of a user pool."""

from __future__ import annotations

import boto3
import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from include import api_callers
from tests.integration.truck_telemetry_api.test_api import JSON, assert_problem

pytestmark = pytest.mark.integration


def reading(truck: str) -> dict[str, object]:
    return {"truck_id": truck, "timestamp": "2026-11-22T14:30:00Z", "vehicle_speed": 1}


@pytest.fixture
def command(api, monkeypatch, capsys):
    """``command("add", "acme", …)`` is what the command prints."""
    for name, value in api.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)

    def run(*arguments: str) -> str:
        assert api_callers.main([*arguments]) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    return run


def test_a_customer_has_its_trucks_its_limits_and_can_be_removed(api, command, states, records, capsys):
    for truck in ("MINE", "FOREIGN"):
        states(b'{"truck_id":"%s","timestamp":"2026-11-22T14:29:00"}' % truck.encode())
    added = command("add", "acme", "--sends", "MINE", "--reads", "MINE,LATER", "--rate", "7", "--per-day", "5")
    key = added.split()[-1]
    before = records()

    sent = api.send("POST", "/telemetry", key=key, json=[reading("MINE"), reading("FOREIGN")])
    assert [outcome["status"] for outcome in sent.json()["outcomes"]] == ["accepted", "rejected"]
    assert {truck for place, (truck, _) in records().items() if place not in before} == {"MINE"}
    assert api.send("GET", "/trucks/MINE", key=key).status_code == 200
    assert_problem(api.send("GET", "/trucks/FOREIGN", key=key), 403)
    assert [truck["truck_id"] for truck in api.send("GET", "/trucks", key=key).json()["trucks"]] == ["MINE"]

    # Five requests a day: the fifth is the last.
    assert api.send("GET", "/trucks/MINE", key=key).status_code == 200
    over = api.send("GET", "/trucks/MINE", key=key)
    assert "quota" in assert_problem(over, 429)["detail"]
    (plan,) = [plan for plan in api.client("apigateway").get_usage_plans()["items"] if "acme" in plan["name"]]
    assert plan["throttle"] == {"rateLimit": 7.0, "burstLimit": 14}

    command("set", "acme", "--sends", "*")
    row = command("list").splitlines()[0].split("\t")
    assert (row[0], row[2:]) == ("acme", ["*", "-"])
    assert api_callers.main(["add", "acme"]) == 1
    assert "there is a caller acme" in capsys.readouterr().err
    command("remove", "acme")
    assert_problem(api.send("GET", "/trucks/MINE", key=key), 403)
    assert command("list") == ""
    assert api_callers.main(["remove", "acme"]) == 1


@pytest.fixture
def deployed_as(api):
    """``deployed_as(ApiAuthorization="iam", …)`` changes the deployment; it is as before after the test."""
    from clicks_to_deliveries.hooks.stack import StackHook

    from include.cloudformation import TEMPLATE
    from include.cloudformation.render import render
    from tests.fixtures.deployment import CODE_BUCKET, STACK

    def change(**parameters: str) -> None:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in api.environment.items():
                patch.setenv(name, value)
            deployment = StackHook(aws_conn_id=None).deploy(
                STACK,
                render(TEMPLATE, parameters),
                parameters=parameters,
                capabilities=["CAPABILITY_IAM"],
                template_bucket=CODE_BUCKET,
            )
        # MiniStack replaces an API whose definition changes; AWS updates it.
        api.outputs.update(deployment.outputs)
        api.url = deployment.outputs["ApiUrl"]

    yield change
    change(ApiAuthorization="key", ApiUserPoolArns="", ApiTrucksClaim="")


def test_a_signature_is_asked_for_and_its_identity_has_its_trucks(api, command, deployed_as):
    deployed_as(ApiAuthorization="iam")
    user = api.client("iam").create_user(UserName="fleet")["User"]["Arn"]
    access = api.client("iam").create_access_key(UserName="fleet")["AccessKey"]
    key = command("add", "fleet", "--sends", "MINE", "--caller", user).split()[-1]
    session = boto3.Session(access["AccessKeyId"], access["SecretAccessKey"], region_name="us-east-1")

    def send(truck: str, *, signed: bool = True) -> requests.Response:
        request = AWSRequest("POST", f"{api.url}/telemetry", headers={**JSON, "x-api-key": key})
        request.data = b'{"truck_id":"%s","timestamp":"2026-11-22T14:30:00Z"}' % truck.encode()
        if signed:
            SigV4Auth(session.get_credentials(), "execute-api", "us-east-1").add_auth(request)
        return requests.post(request.url, data=request.data, headers=dict(request.headers), timeout=60)

    try:
        assert "sign the request" in assert_problem(send("MINE", signed=False), 403)["detail"]
        assert send("MINE").status_code == 202
        assert_problem(send("FOREIGN"), 403)
    finally:
        command("remove", "fleet")


def test_a_token_of_the_user_pool_is_asked_for(api, deployed_as):
    pool = api.client("cognito-idp").create_user_pool(PoolName="devices")["UserPool"]["Arn"]

    deployed_as(ApiAuthorization="jwt", ApiUserPoolArns=pool)

    # MiniStack's environment can't verify a signature, so it refuses every token; test_api_callers.py has what follows.
    for token in (None, "no-token", "e30.e30.e30"):
        headers = {"Authorization": token} if token else {}
        answer = api.send("POST", "/telemetry", headers=headers, json=reading("MINE"))
        assert assert_problem(answer, 401)["detail"] == "send a valid token as header Authorization"
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    gateway, api_id = api.client("apigateway"), api.outputs["ApiId"]
    (authorizer,) = gateway.get_authorizers(restApiId=api_id)["items"]
    assert (authorizer["type"], authorizer["providerARNs"]) == ("COGNITO_USER_POOLS", [pool])
    methods = [
        gateway.get_method(restApiId=api_id, resourceId=resource["id"], httpMethod=method)
        for resource in gateway.get_resources(restApiId=api_id)["items"]
        for method in resource.get("resourceMethods", {})
    ]
    assert len(methods) == 3
    for method in methods:
        assert (method["authorizationType"], method["authorizerId"]) == ("COGNITO_USER_POOLS", authorizer["id"])
        assert method["apiKeyRequired"] is True
