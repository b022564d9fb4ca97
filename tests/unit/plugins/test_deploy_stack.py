"""DeployStackOperator: moto where CloudFormation succeeds, scripted answers where it fails (moto never does)."""

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from airflow.sdk.exceptions import AirflowException
from botocore.stub import ANY, Stubber
from clicks_to_deliveries.hooks import stack as stack_module
from clicks_to_deliveries.hooks.stack import EVERY_UPDATE, MAX_TEMPLATE_BYTES, StackHook, Watch
from clicks_to_deliveries.operators.deploy_stack import DeployStackOperator, steps
from moto import mock_aws

pytestmark = pytest.mark.unit

NAME = "pipeline"
STACK_ID = f"arn:aws:cloudformation:us-east-1:123456789012:stack/{NAME}/5e1f"
CHANGE_SET_ID = "arn:aws:cloudformation:us-east-1:123456789012:changeSet/deploy/7a2c"
DEPLOYMENT, DELETION = "deploy-1", "delete-1"  # The tokens, where uuid4 is always "1".
UNWATCHED = {"RollbackTriggers": [], "MonitoringTimeInMinutes": 0}
NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."


def template(**queues: Any) -> dict[str, Any]:
    return {
        "Parameters": {
            "Delay": {"Type": "Number", "Default": "0"},
            "Fifo": {"Type": "String", "Default": "none"},
        },
        "Resources": {
            "Queue": {
                "Type": "AWS::SQS::Queue",
                "Properties": {"QueueName": "orders", "DelaySeconds": {"Ref": "Delay"}},
            },
            **{key: {"Type": "AWS::SQS::Queue", "Properties": value} for key, value in queues.items()},
        },
        "Outputs": {"QueueUrl": {"Value": {"Ref": "Queue"}}},
    }


@pytest.fixture(autouse=True)
def credentials(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture(autouse=True)
def pauses(monkeypatch) -> list[float]:
    """Replaces sleeping: it only records the pauses."""
    slept: list[float] = []
    monkeypatch.setattr(stack_module, "time", SimpleNamespace(sleep=slept.append, monotonic=time.monotonic))
    return slept


@pytest.fixture
def deploy(tmp_path):
    """Runs the operator on a template (an object) with parameters."""
    numbers = count()

    def run(
        content: dict[str, Any],
        timeout: timedelta = timedelta(minutes=1),
        role_arn: str | None = None,
        **parameters: Any,
    ) -> dict[str, str]:
        path = tmp_path / f"template-{next(numbers)}.json"
        path.write_text(json.dumps(content))
        operator = DeployStackOperator(
            task_id="deploy",
            stack_name=NAME,
            template=path,
            parameters=parameters,
            role_arn=role_arn,
            aws_conn_id=None,
            timeout=timeout,
        )
        return operator.execute({})

    return run


@pytest.fixture
def aws():
    with mock_aws():
        yield boto3.client("cloudformation", region_name="us-east-1")


@pytest.fixture
def scripted(monkeypatch):
    """CloudFormation that gives scripted answers, in this order, and fails on any other call."""
    client = boto3.client("cloudformation", region_name="us-east-1")
    monkeypatch.setattr(StackHook, "conn", client)
    monkeypatch.setattr(stack_module, "uuid", SimpleNamespace(uuid4=lambda: "1"))
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def test_a_parameter_that_is_empty_gets_what_is_known(monkeypatch, tmp_path):
    """AWS trusts an integration that does not exist yet; what Snowflake says of an existing one comes first."""
    template = tmp_path / "template.json"
    template.write_text("{}")
    deployed = []

    def record(_hook, _name, _template, *, parameters, **_):
        deployed.append(parameters)
        return SimpleNamespace(outputs={})

    monkeypatch.setattr(StackHook, "deploy", record)
    for found in ("", "of Snowflake"):
        parameters = {"SnowflakeExternalId": found, "Other": ""}
        known = {"SnowflakeExternalId": "ours"}
        DeployStackOperator(
            task_id="deploy", stack_name=NAME, template=template, parameters=parameters, if_empty=known
        ).execute({})
    assert deployed == [
        {"SnowflakeExternalId": "ours", "Other": ""},
        {"SnowflakeExternalId": "of Snowflake", "Other": ""},
    ]


# --- moto: what succeeds ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("present", "wanted", "expected"),
    [
        (1, 100, [2, 4, 8, 16, 32, 64, 100]),
        (100, 1, [50, 25, 13, 7, 4, 2, 1]),
        (5, 5, [5]),
        (3, 6, [6]),
        (3, 7, [6, 7]),
        (5, 2, [3, 2]),
    ],
)
def test_a_size_at_most_doubles_or_halves_with_each_step(present, wanted, expected):
    assert steps({"Shards": (present, wanted)}) == [{"Shards": size} for size in expected]


def test_sizes_grow_side_by_side_and_nothing_to_change_is_one_step():
    found = steps({"Clicks": (1, 4), "Trucks": (8, 1)})
    assert found == [{"Clicks": 2, "Trucks": 4}, {"Clicks": 4, "Trucks": 2}, {"Clicks": 4, "Trucks": 1}]
    assert steps({}) == [{}]


def test_a_size_is_deployed_step_by_step_from_the_one_that_the_stack_has(aws, tmp_path, monkeypatch):
    deployed = []
    real = StackHook.deploy

    def deploy(self: StackHook, *given: Any, parameters: dict[str, str], **more: Any) -> Any:
        deployed.append(parameters["Delay"])
        return real(self, *given, parameters=parameters, **more)

    monkeypatch.setattr(StackHook, "deploy", deploy)
    path = tmp_path / "template.json"
    path.write_text(json.dumps(template()))
    for delay in (3, 3, 20):
        operator = DeployStackOperator(
            task_id="deploy",
            stack_name=NAME,
            template=path,
            parameters={"Delay": delay},
            stepwise=("Delay",),
            aws_conn_id=None,
            timeout=timedelta(minutes=1),
        )
        operator.execute({})
    # A new stack begins with what is wanted.
    assert deployed == ["3", "3", "6", "12", "20"]
    assert StackHook(aws_conn_id=None).parameters(NAME)["Delay"] == "20"


def test_cloudformation_gets_the_role_that_it_acts_as(aws, deploy, monkeypatch):
    asked = []
    real = StackHook._change_set

    def change_set(self: StackHook, name: str, stack: Any, request: dict[str, Any], deadline: float) -> Any:
        asked.append(request.get("RoleARN"))
        return real(self, name, stack, request, deadline)

    monkeypatch.setattr(StackHook, "_change_set", change_set)
    role = "arn:aws:iam::123456789012:role/identities/stack"
    deploy(template(), role_arn=role, Delay=5)
    deploy(template(), Delay=6)
    assert asked == [role, None]


def test_a_new_stack_is_created_with_its_parameters(aws, deploy):
    deploy(template(), Delay=5)
    assert _stack(aws)["StackStatus"] == "CREATE_COMPLETE"
    sqs = boto3.client("sqs", region_name="us-east-1")
    queue = sqs.get_queue_url(QueueName="orders")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["DelaySeconds"])["Attributes"]
    assert attributes == {"DelaySeconds": "5"}


def test_the_same_again_is_a_no_op_that_leaves_no_change_set(aws, deploy):
    deploy(template(), Delay=5, Fifo="no")
    events = len(aws.describe_stack_events(StackName=NAME)["StackEvents"])
    change_sets = len(aws.list_change_sets(StackName=NAME)["Summaries"])
    deploy(template(), Delay=5, Fifo="no")
    assert len(aws.describe_stack_events(StackName=NAME)["StackEvents"]) == events
    assert len(aws.list_change_sets(StackName=NAME)["Summaries"]) == change_sets


def test_a_changed_template_updates_the_stack(aws, deploy):
    deploy(template())
    deploy(template(Returns={"QueueName": "returns"}))
    resources = aws.describe_stack_resources(StackName=NAME)["StackResources"]
    assert {resource["LogicalResourceId"] for resource in resources} == {"Queue", "Returns"}
    assert _stack(aws)["StackStatus"] == "UPDATE_COMPLETE"


def test_booleans_are_written_as_cloudformation_reads_them(aws, deploy):
    deploy(template(), Fifo=True)
    parameters = {p["ParameterKey"]: p["ParameterValue"] for p in _stack(aws)["Parameters"]}
    assert parameters["Fifo"] == "true"


def test_a_change_set_nobody_executed_does_not_stop_a_deployment(aws, deploy):
    aws.create_change_set(
        StackName=NAME, ChangeSetName="abandoned", ChangeSetType="CREATE", TemplateBody=json.dumps(template())
    )
    assert _stack(aws)["StackStatus"] == "REVIEW_IN_PROGRESS"
    deploy(template())
    assert _stack(aws)["StackStatus"] == "CREATE_COMPLETE"


def test_deleting_waits_and_returns_whether_there_was_a_stack(aws, deploy):
    deploy(template())
    hook = StackHook(aws_conn_id=None)
    assert hook.delete(NAME) is True
    assert hook.delete(NAME) is False
    assert boto3.client("sqs", region_name="us-east-1").list_queues().get("QueueUrls", []) == []


# --- Scripted: what fails, and what takes time -----------------------------------------------------------------------


def test_a_failed_create_names_the_resource_its_type_and_its_reason(scripted, deploy):
    _says_there_is_no_stack(scripted)
    _change_set_is_ready(scripted, "CREATE")
    _execution(scripted)
    _stack_is(scripted, "CREATE_IN_PROGRESS", name=STACK_ID)
    _stack_is(scripted, "ROLLBACK_COMPLETE", name=STACK_ID)
    _events(
        scripted,
        (NAME, "AWS::CloudFormation::Stack", "ROLLBACK_COMPLETE", None, DEPLOYMENT),
        ("Table", "AWS::DynamoDB::Table", "CREATE_FAILED", "Resource creation cancelled", DEPLOYMENT),
        ("Bucket", "AWS::S3::Bucket", "CREATE_FAILED", "orders already exists", DEPLOYMENT),
        (NAME, "AWS::CloudFormation::Stack", "CREATE_IN_PROGRESS", "User Initiated", DEPLOYMENT),
    )
    with pytest.raises(AirflowException) as failure:
        deploy(template())
    assert str(failure.value) == (
        "deployment of stack pipeline failed (ROLLBACK_COMPLETE): Bucket (AWS::S3::Bucket): orders already exists"
    )


def test_an_update_rolled_back_names_all_reasons_of_this_deployment_and_none_of_an_earlier(scripted, deploy):
    _stack_is(scripted, "UPDATE_ROLLBACK_COMPLETE")
    _summary(scripted)
    _change_set_is_ready(scripted, "UPDATE")
    _execution(scripted)
    _stack_is(scripted, "UPDATE_ROLLBACK_COMPLETE", name=STACK_ID)
    _events(
        scripted,
        ("Role", "AWS::IAM::Role", "UPDATE_FAILED", "not authorized", DEPLOYMENT),
        ("Queue", "AWS::SQS::Queue", "UPDATE_FAILED", "no such key", DEPLOYMENT),
        ("Topic", "AWS::SNS::Topic", "UPDATE_FAILED", "an old story", "deploy-yesterday"),
    )
    with pytest.raises(AirflowException) as failure:
        deploy(template())
    assert str(failure.value) == (
        "deployment of stack pipeline failed (UPDATE_ROLLBACK_COMPLETE): "
        "Queue (AWS::SQS::Queue): no such key; Role (AWS::IAM::Role): not authorized"
    )


def test_a_refused_change_set_is_an_error_that_leaves_no_change_set(scripted, deploy):
    _says_there_is_no_stack(scripted)
    _created(scripted, "CREATE")
    _change_set(scripted, "FAILED", "Early validation failed")
    scripted.add_response(
        "describe_events",
        {"OperationEvents": [_validation_error("Bucket", "AWS::S3::Bucket", "the name is taken")]},
        {"ChangeSetName": CHANGE_SET_ID, "Filters": {"FailedEvents": True}},
    )
    scripted.add_response("delete_change_set", {}, {"ChangeSetName": CHANGE_SET_ID, "StackName": STACK_ID})
    with pytest.raises(AirflowException, match=r"FAILED: Bucket \(AWS::S3::Bucket\): the name is taken$"):
        deploy(template())


def test_a_refused_change_set_is_reported_even_where_details_are_denied(scripted, deploy):
    _says_there_is_no_stack(scripted)
    _created(scripted, "CREATE")
    _change_set(scripted, "FAILED", "Transform failed")
    scripted.add_client_error("describe_events", "AccessDenied", "not authorized")
    scripted.add_response("delete_change_set", {})
    with pytest.raises(AirflowException, match=r"change set of stack pipeline FAILED: Transform failed$"):
        deploy(template())


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "REVIEW_IN_PROGRESS"])
def test_a_stack_that_never_came_up_is_deleted_first(scripted, deploy, status):
    _stack_is(scripted, status)
    scripted.add_response("delete_stack", {}, {"StackName": STACK_ID, "ClientRequestToken": DELETION})
    _stack_is(scripted, "DELETE_IN_PROGRESS", name=STACK_ID)
    _stack_is(scripted, "DELETE_COMPLETE", name=STACK_ID)
    _change_set_is_ready(scripted, "CREATE")
    _execution(scripted)
    _stack_is(scripted, "CREATE_COMPLETE", name=STACK_ID, outputs={"Url": "x"})
    assert deploy(template()) == {"Url": "x"}


def test_a_deletion_that_gets_stuck_names_the_resource(scripted, deploy):
    _stack_is(scripted, "ROLLBACK_FAILED")
    scripted.add_response("delete_stack", {}, {"StackName": STACK_ID, "ClientRequestToken": DELETION})
    _stack_is(scripted, "DELETE_FAILED", name=STACK_ID)
    _events(scripted, ("Bucket", "AWS::S3::Bucket", "DELETE_FAILED", "The bucket is not empty", DELETION))
    with pytest.raises(AirflowException, match=r"deletion of stack pipeline failed .*Bucket .*The bucket is not empty"):
        deploy(template())


@pytest.mark.parametrize("status", ["UPDATE_ROLLBACK_FAILED", "DELETE_FAILED"])
def test_a_stack_that_needs_a_decision_is_left_alone(scripted, deploy, status):
    _stack_is(scripted, status)
    with pytest.raises(AirflowException, match=f"stack pipeline is {status} .*you have to decide"):
        deploy(template())


def test_an_operation_under_way_is_waited_for_with_growing_pauses(scripted, deploy, pauses):
    for _ in range(12):
        _stack_is(scripted, "UPDATE_IN_PROGRESS")
    _stack_is(scripted, "UPDATE_COMPLETE", outputs={"Url": "x"})
    _summary(scripted)
    _created(scripted, "UPDATE")
    _change_set(scripted, "FAILED", NO_CHANGES)
    scripted.add_response("delete_change_set", {}, {"ChangeSetName": CHANGE_SET_ID, "StackName": STACK_ID})
    assert deploy(template()) == {"Url": "x"}
    assert len(pauses) == 12
    assert pauses[0] < 0.3
    assert max(pauses) <= stack_module.LONGEST_POLL_SECONDS
    assert pauses[-1] >= stack_module.LONGEST_POLL_SECONDS / 2


def test_an_operation_that_does_not_end_is_refused_after_the_timeout(scripted, deploy):
    _stack_is(scripted, "UPDATE_ROLLBACK_IN_PROGRESS")
    with pytest.raises(AirflowException, match="stack pipeline is still UPDATE_ROLLBACK_IN_PROGRESS"):
        deploy(template(), timeout=timedelta(0))


def test_a_template_too_large_for_a_request_is_refused_before_any_call(scripted, deploy):
    large = {**template(), "Description": "x" * MAX_TEMPLATE_BYTES}
    with pytest.raises(AirflowException, match="limit 51200"):
        deploy(large)


def test_a_parameter_left_out_keeps_the_stacks_value_if_the_template_still_has_it(scripted, deploy):
    _stack_is(scripted, "CREATE_COMPLETE", parameters={"Delay": "7", "Fifo": "yes", "Gone": "1"})
    _summary(scripted, "Delay", "Fifo", "New")
    kept = [
        {"ParameterKey": "Fifo", "ParameterValue": "no"},
        {"ParameterKey": "Delay", "UsePreviousValue": True},
    ]
    _created(scripted, "UPDATE", parameters=kept)
    _change_set(scripted, "FAILED", NO_CHANGES)
    scripted.add_response("delete_change_set", {})
    deploy(template(), Fifo="no")


def test_an_error_of_the_service_is_not_taken_for_a_missing_stack(scripted, deploy):
    scripted.add_client_error("describe_stacks", "AccessDenied", "not authorized")
    with pytest.raises(Exception, match="AccessDenied"):
        deploy(template())


ALARM = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:"


@pytest.mark.parametrize(
    ("firing", "watched"),
    [
        (
            set(),
            {
                "RollbackTriggers": [
                    {"Arn": f"{ALARM}{name}", "Type": "AWS::CloudWatch::Alarm"} for name in ("clicks", "trucks")
                ],
                "MonitoringTimeInMinutes": 10,
            },
        ),
        # The update may be the repair of what fires.
        (
            {"clicks"},
            {
                "RollbackTriggers": [{"Arn": f"{ALARM}trucks", "Type": "AWS::CloudWatch::Alarm"}],
                "MonitoringTimeInMinutes": 10,
            },
        ),
        ({"clicks", "trucks"}, UNWATCHED),
    ],
)
def test_an_update_is_rolled_back_by_those_of_its_alarms_that_are_quiet(scripted, monkeypatch, firing, watched):
    _stack_is(scripted, "CREATE_COMPLETE", outputs={"Url": "x"})
    _summary(scripted)
    resources = [
        {
            "LogicalResourceId": logical_id,
            "PhysicalResourceId": name,
            "ResourceType": "AWS::CloudWatch::Alarm",
            "Timestamp": datetime(2026, 1, 1, tzinfo=UTC),
            "ResourceStatus": "CREATE_COMPLETE",
        }
        for logical_id, name in (("ClickErrors", "clicks"), ("Lag", "lag"), ("TruckErrors", "trucks"))
    ]
    scripted.add_response("describe_stack_resources", {"StackResources": resources}, {"StackName": STACK_ID})
    _created(scripted, "UPDATE", RollbackConfiguration=watched)
    _change_set(scripted, "FAILED", NO_CHANGES)
    scripted.add_response("delete_change_set", {})

    def describe_alarms(AlarmNames: list[str]) -> dict[str, Any]:
        states = {name: "ALARM" if name in firing else "OK" for name in AlarmNames}
        return {"MetricAlarms": [{"AlarmArn": f"{ALARM}{name}", "StateValue": state} for name, state in states.items()]}

    cloudwatch = SimpleNamespace(describe_alarms=describe_alarms)
    monkeypatch.setattr(stack_module.AwsBaseHook, "get_conn", lambda self: cloudwatch)

    StackHook(aws_conn_id=None).deploy(
        NAME,
        json.dumps(template()),
        parameters={},
        capabilities=["CAPABILITY_IAM"],
        watch=Watch(("ClickErrors", "TruckErrors"), minutes=10),
    )


def test_a_new_stack_has_tags_and_no_alarm_to_watch_and_is_protected_once_it_stands(scripted, tmp_path):
    (tmp_path / "template.json").write_text(json.dumps(template()))
    (tmp_path / "policy.json").write_text('{"Statement":[]}')
    _says_there_is_no_stack(scripted)
    _created(scripted, "CREATE", Tags=[{"Key": "team", "Value": "data"}])
    _change_set(scripted, "CREATE_COMPLETE")
    _execution(scripted)
    _stack_is(scripted, "CREATE_COMPLETE", name=STACK_ID)
    protected = {"StackName": NAME, "EnableTerminationProtection": True}
    scripted.add_response("update_termination_protection", {"StackId": STACK_ID}, protected)
    scripted.add_response("set_stack_policy", {}, {"StackName": NAME, "StackPolicyBody": '{"Statement":[]}'})

    DeployStackOperator(
        task_id="deploy",
        stack_name=NAME,
        template=tmp_path / "template.json",
        tags={"team": "data"},
        watched_alarms=("Alarm",),
        watch_minutes=10,
        protected=True,
        stack_policy=tmp_path / "policy.json",
        aws_conn_id=None,
    ).execute({})


def test_protection_is_lifted_where_it_is_not_wanted(scripted):
    lifted = {"StackName": NAME, "EnableTerminationProtection": False}
    scripted.add_response("update_termination_protection", {"StackId": STACK_ID}, lifted)
    scripted.add_response("set_stack_policy", {}, {"StackName": NAME, "StackPolicyBody": EVERY_UPDATE})

    StackHook(aws_conn_id=None).unprotect(NAME)


def test_templated_fields():
    assert {"stack_name", "template", "parameters"} <= set(DeployStackOperator.template_fields)
    # Airflow renders only the path: it would take the file's own Jinja for its own.
    assert DeployStackOperator.template_ext == ()


# --- The script's vocabulary -----------------------------------------------------------------------------------------


def _stack(client: Any) -> dict[str, Any]:
    return client.describe_stacks(StackName=NAME)["Stacks"][0]


def _says_there_is_no_stack(stubber: Stubber) -> None:
    message = f"Stack with id {NAME} does not exist"
    stubber.add_client_error("describe_stacks", "ValidationError", message, expected_params={"StackName": NAME})


def _stack_is(
    stubber: Stubber,
    status: str,
    *,
    name: str = NAME,
    outputs: dict[str, str] | None = None,
    parameters: dict[str, str] | None = None,
) -> None:
    stack = {
        "StackName": NAME,
        "StackId": STACK_ID,
        "StackStatus": status,
        "CreationTime": datetime(2026, 1, 1, tzinfo=UTC),
        "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in (outputs or {}).items()],
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in (parameters or {}).items()],
    }
    stubber.add_response("describe_stacks", {"Stacks": [stack]}, {"StackName": name})


def _summary(stubber: Stubber, *parameters: str) -> None:
    declared = [{"ParameterKey": key} for key in parameters]
    stubber.add_response("get_template_summary", {"Parameters": declared}, {"TemplateBody": ANY})


def _created(stubber: Stubber, kind: str, *, parameters: Sequence[dict[str, Any]] = (), **more: Any) -> None:
    expected = {
        "StackName": NAME,
        "ChangeSetName": ANY,
        "ChangeSetType": kind,
        "TemplateBody": ANY,
        "Parameters": list(parameters),
        "Capabilities": ["CAPABILITY_IAM"],
        **({"RollbackConfiguration": UNWATCHED} if kind == "UPDATE" else {}),
        **more,
    }
    stubber.add_response("create_change_set", {"Id": CHANGE_SET_ID, "StackId": STACK_ID}, expected)


def _change_set(stubber: Stubber, status: str, reason: str = "") -> None:
    answer = {
        "ChangeSetId": CHANGE_SET_ID,
        "StackId": STACK_ID,
        "Status": status,
        "StatusReason": reason,
        "Changes": [
            {
                "Type": "Resource",
                "ResourceChange": {"Action": "Add", "LogicalResourceId": "Queue", "ResourceType": "AWS::SQS::Queue"},
            }
        ],
    }
    expected = {"ChangeSetName": CHANGE_SET_ID, "StackName": STACK_ID}
    stubber.add_response("describe_change_set", answer, expected)


def _change_set_is_ready(stubber: Stubber, kind: str) -> None:
    _created(stubber, kind)
    _change_set(stubber, "CREATE_IN_PROGRESS")
    _change_set(stubber, "CREATE_COMPLETE")


def _execution(stubber: Stubber) -> None:
    expected = {"ChangeSetName": CHANGE_SET_ID, "StackName": STACK_ID, "ClientRequestToken": DEPLOYMENT}
    stubber.add_response("execute_change_set", {}, expected)


def _events(stubber: Stubber, *newest_first: tuple[str, str, str, str | None, str]) -> None:
    """Each (logical id, type, status, reason, token); an event of the stack itself has the stack's name and id."""
    events = [
        {
            "StackId": STACK_ID,
            "EventId": str(number),
            "StackName": NAME,
            "LogicalResourceId": logical_id,
            "PhysicalResourceId": STACK_ID if logical_id == NAME else logical_id.lower(),
            "ResourceType": resource_type,
            "ResourceStatus": status,
            "Timestamp": datetime(2026, 1, 1, tzinfo=UTC),
            "ClientRequestToken": token,
            **({"ResourceStatusReason": reason} if reason else {}),
        }
        for number, (logical_id, resource_type, status, reason, token) in enumerate(newest_first)
    ]
    stubber.add_response("describe_stack_events", {"StackEvents": events}, {"StackName": STACK_ID})


def _validation_error(logical_id: str, resource_type: str, reason: str) -> dict[str, Any]:
    return {
        "EventId": "1",
        "StackId": STACK_ID,
        "OperationId": "operation",
        "OperationStatus": "FAILED",
        "EventType": "VALIDATION_ERROR",
        "LogicalResourceId": logical_id,
        "ResourceType": resource_type,
        "Timestamp": datetime(2026, 1, 1, tzinfo=UTC),
        "ValidationStatusReason": reason,
    }
