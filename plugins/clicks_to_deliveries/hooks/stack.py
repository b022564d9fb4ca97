"""CloudFormation stacks as declared state: deploy by change set, delete, wait, and report what failed and why."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from itertools import takewhile
from operator import itemgetter
from typing import Any, TypeVar

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from airflow.providers.amazon.aws.hooks.cloud_formation import CloudFormationHook
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.common.compat.sdk import AirflowException
from botocore.exceptions import ClientError

from include.retry import Backoff

T = TypeVar("T")

# Limits of a template in a request, and of one that CloudFormation fetches from S3.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
MAX_TEMPLATE_BYTES = 51_200
MAX_STORED_TEMPLATE_BYTES = 1_000_000
TEMPLATE_PREFIX = "cloudformation/"

# A stack that never came up can only be deleted; REVIEW_IN_PROGRESS is one whose first change set was never executed.
NEVER_CAME_UP = frozenset({"REVIEW_IN_PROGRESS", "CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"})
UPDATABLE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"})
SUCCEEDED = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE"})

# How CloudFormation says that a change set has nothing to do; it has no error code for that.
NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
# The reason of a resource that stopped only because another one failed.
CANCELLED = ("Resource creation cancelled", "Resource update cancelled", "Resource deletion cancelled")

# A stack policy that forbids nothing; one can be replaced, but not removed.
EVERY_UPDATE = '{"Statement":[{"Effect":"Allow","Action":"Update:*","Principal":"*","Resource":"*"}]}'

FIRST_POLL_SECONDS, LONGEST_POLL_SECONDS = 0.2, 5.0


@dataclass(frozen=True)
class Watch:
    """Alarms (logical ids, at most five) that roll an update back if one fires until ``minutes`` after it."""

    alarms: Sequence[str]
    minutes: int


@dataclass(frozen=True)
class Deployment:
    """The outcome of a deployment: whether it changed anything, and the stack's outputs."""

    changed: bool
    outputs: dict[str, str]


class StackHook(CloudFormationHook):
    """Deploys and deletes CloudFormation stacks, waiting until they are settled."""

    def deploy(
        self,
        stack_name: str,
        template_body: str,
        *,
        parameters: Mapping[str, str],
        capabilities: Sequence[str] = (),
        template_bucket: str | None = None,
        tags: Mapping[str, str] | None = None,
        watch: Watch | None = None,
        role_arn: str | None = None,
        timeout: timedelta = timedelta(minutes=30),
    ) -> Deployment:
        """Make the stack match the template and parameters, whatever its state.

        Creates the stack, or updates it by change set, or does nothing if nothing differs.  Deletes a stack that never
        came up first, and waits for an operation in progress.  A parameter that is not given keeps its value in the
        stack, or its default at creation (as ``aws cloudformation deploy`` does).  A template that is too large for a
        request (51,200 bytes) goes through ``template_bucket``, up to 1 MB.  CloudFormation changes the resources as
        ``role_arn``, which the caller must be allowed to pass, or with the caller's own rights.

        CloudFormation gives the ``tags`` to the stack and its resources; None keeps those that the stack has.  An
        update is rolled back if an alarm of ``watch`` fires; one that fires already is not watched, because the update
        may be its repair.

        Raises:
            AirflowException: the template is too large, the change set is refused, the deployment failed (the message
                names each failing resource, its type and its reason), or the stack did not settle within ``timeout``.
        """
        template = self._template(stack_name, template_body, template_bucket)
        deadline = time.monotonic() + timeout.total_seconds()
        stack = self._updatable_stack(stack_name, deadline)
        kept = self._kept_parameters(stack, template) - parameters.keys()
        options: dict[str, Any] = {"Capabilities": list(capabilities)}
        if role_arn is not None:
            options["RoleARN"] = role_arn
        if tags is not None:
            options["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
        if stack is not None:
            # Without it, CloudFormation would watch the alarms of the update before.
            options["RollbackConfiguration"] = self._rollback_configuration(stack, watch)
        return self._apply(stack_name, stack, {**template, **_parameters(parameters, kept), **options}, deadline)

    def set_parameters(
        self,
        stack_name: str,
        parameters: Mapping[str, str],
        *,
        capabilities: Sequence[str] = (),
        timeout: timedelta = timedelta(minutes=30),
    ) -> bool:
        """Change parameters of the stack as it is deployed, but for those that its template does not have.

        Returns:
            False if there is no stack, or none that can be updated.

        Raises:
            AirflowException: as ``deploy``.
        """
        deadline = time.monotonic() + timeout.total_seconds()
        stack = self._wait(stack_name, _is_at_rest, deadline)
        if stack is None or stack["StackStatus"] not in UPDATABLE:
            return False
        known = {each["ParameterKey"] for each in stack.get("Parameters", [])}
        changed = {name: value for name, value in parameters.items() if name in known}
        if not changed:
            return True
        request = {
            "UsePreviousTemplate": True,
            **_parameters(changed, known - changed.keys()),
            "Capabilities": list(capabilities),
            "RollbackConfiguration": self._rollback_configuration(stack, None),
        }
        self._apply(stack_name, stack, request, deadline)
        return True

    def protect(self, stack_name: str, policy: str) -> None:
        """Have CloudFormation refuse to delete the stack, and to update it against the stack policy ``policy``."""
        self.conn.update_termination_protection(StackName=stack_name, EnableTerminationProtection=True)
        self.conn.set_stack_policy(StackName=stack_name, StackPolicyBody=policy)

    def unprotect(self, stack_name: str) -> None:
        """Allow what ``protect`` forbids."""
        self.conn.update_termination_protection(StackName=stack_name, EnableTerminationProtection=False)
        self.conn.set_stack_policy(StackName=stack_name, StackPolicyBody=EVERY_UPDATE)

    def parameters(self, stack_name: str) -> dict[str, str]:
        """Return the parameters of the stack as it is; empty if there is none."""
        stack = self._describe(stack_name) or {}
        return {each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters", [])}

    def delete(self, stack_name: str, *, timeout: timedelta = timedelta(minutes=30)) -> bool:
        """Delete the stack and wait until it is gone; return False if there was none.

        Raises:
            AirflowException: a resource could not be deleted (the message names it and its reason), or ``timeout`` has
                passed.
        """
        deadline = time.monotonic() + timeout.total_seconds()
        stack = self._wait(stack_name, _is_at_rest, deadline)
        if stack is None:
            return False
        self._delete(stack, deadline)
        return True

    def _template(self, stack_name: str, body: str, bucket: str | None) -> dict[str, str]:
        """Return the template as a parameter of CloudFormation's calls."""
        data = body.encode()
        limit = MAX_STORED_TEMPLATE_BYTES if bucket else MAX_TEMPLATE_BYTES
        if len(data) > limit:
            raise AirflowException(f"template of stack {stack_name} has {len(data)} bytes, limit {limit}")
        if bucket is None or len(data) <= MAX_TEMPLATE_BYTES:
            return {"TemplateBody": body}
        s3 = S3Hook(aws_conn_id=self.aws_conn_id).get_conn()
        key = f"{TEMPLATE_PREFIX}{stack_name}-{sha256(data).hexdigest()[:16]}.json"
        s3.put_object(Bucket=bucket, Key=key, Body=data)
        return {"TemplateURL": f"{s3.meta.endpoint_url}/{bucket}/{key}"}

    def _updatable_stack(self, stack_name: str, deadline: float) -> dict[str, Any] | None:
        """Return the settled stack, or None if it has to be created."""
        stack = self._wait(stack_name, _is_at_rest, deadline)
        if stack is None or stack["StackStatus"] in UPDATABLE:
            return stack
        if stack["StackStatus"] in NEVER_CAME_UP:
            self.log.warning("Stack %s never came up (%s): deleting it first", stack_name, stack["StackStatus"])
            self._delete(stack, deadline)
            return None
        raise AirflowException(
            f"stack {stack_name} is {stack['StackStatus']} ({stack.get('StackStatusReason') or 'no reason given'}): "
            "neither an update nor a deletion is safe, you have to decide (continue the rollback or delete the stack)"
        )

    def _apply(
        self, stack_name: str, stack: dict[str, Any] | None, request: Mapping[str, Any], deadline: float
    ) -> Deployment:
        """Create the stack or update it, with the arguments of CreateChangeSet in ``request``."""
        change_set = self._change_set(stack_name, stack, request, deadline)
        if change_set is None:
            self.log.info("Stack %s is up to date", stack_name)
            return Deployment(changed=False, outputs=_outputs(stack or {}))
        token = f"deploy-{uuid.uuid4()}"
        self.conn.execute_change_set(
            ChangeSetName=change_set["ChangeSetId"], StackName=change_set["StackId"], ClientRequestToken=token
        )
        settled = self._wait(change_set["StackId"], _is_settled, deadline)
        if settled is None or settled["StackStatus"] not in SUCCEEDED:
            raise self._failure("deployment", stack_name, change_set["StackId"], settled, token)
        self.log.info("Stack %s: %s", stack_name, settled["StackStatus"])
        return Deployment(changed=True, outputs=_outputs(settled))

    def _change_set(
        self, stack_name: str, stack: dict[str, Any] | None, request: Mapping[str, Any], deadline: float
    ) -> dict[str, Any] | None:
        """Return a change set that is ready to be executed, or None if nothing differs."""
        created = self.conn.create_change_set(
            StackName=stack_name,
            ChangeSetName=f"deploy-{uuid.uuid4()}",
            ChangeSetType="UPDATE" if stack else "CREATE",
            **request,
        )
        names = {"ChangeSetName": created["Id"], "StackName": created["StackId"]}
        change_set: dict[str, Any] = self._poll(
            lambda: self.conn.describe_change_set(**names),
            lambda answer: not answer["Status"].endswith(("_PENDING", "_IN_PROGRESS")),
            deadline,
            lambda answer: f"change set of stack {stack_name} is still {answer['Status']}",
        )
        if change_set["Status"] == "CREATE_COMPLETE":
            for change in (change["ResourceChange"] for change in change_set["Changes"] if "ResourceChange" in change):
                self.log.info("%s %s (%s)", change["Action"], change["LogicalResourceId"], change["ResourceType"])
            return change_set
        reason = change_set.get("StatusReason", "no reason given")
        # CloudFormation reports an empty change set as failed too.
        empty = stack is not None and any(words in reason for words in NO_CHANGES)
        if not empty:
            reason = "; ".join(self._validation_errors(ChangeSetName=names["ChangeSetName"])) or reason
        # A change set that stays counts against the stack's limit of change sets.
        self.conn.delete_change_set(**names)
        if empty:
            return None
        raise AirflowException(f"change set of stack {stack_name} {change_set['Status']}: {reason}")

    def _kept_parameters(self, stack: dict[str, Any] | None, template: Mapping[str, str]) -> set[str]:
        """Return the names of the parameters that both the stack and the template have."""
        if stack is None:
            return set()
        declared = self.conn.get_template_summary(**template)["Parameters"]
        return {p["ParameterKey"] for p in declared} & {p["ParameterKey"] for p in stack.get("Parameters", [])}

    def _rollback_configuration(self, stack: Mapping[str, Any], watch: Watch | None) -> dict[str, Any]:
        if watch is None or not watch.minutes:
            return {"RollbackTriggers": [], "MonitoringTimeInMinutes": 0}
        resources = self.conn.describe_stack_resources(StackName=stack["StackId"])["StackResources"]
        names = [each["PhysicalResourceId"] for each in resources if each["LogicalResourceId"] in watch.alarms]
        cloudwatch = AwsBaseHook(aws_conn_id=self.aws_conn_id, client_type="cloudwatch").get_conn()
        alarms = cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"] if names else []
        quiet = [alarm["AlarmArn"] for alarm in alarms if alarm["StateValue"] != "ALARM"]
        return {
            "RollbackTriggers": [{"Arn": arn, "Type": "AWS::CloudWatch::Alarm"} for arn in quiet],
            "MonitoringTimeInMinutes": watch.minutes if quiet else 0,
        }

    def _delete(self, stack: dict[str, Any], deadline: float) -> None:
        # By id: a deleted stack can't be found by its name.
        stack_id, token = stack["StackId"], f"delete-{uuid.uuid4()}"
        self.conn.delete_stack(StackName=stack_id, ClientRequestToken=token)
        left = self._wait(stack_id, _is_gone_or_stuck, deadline)
        if left is not None:
            raise self._failure("deletion", stack["StackName"], stack_id, left, token)

    def _wait(
        self, stack_name: str, done: Callable[[dict[str, Any] | None], bool], deadline: float
    ) -> dict[str, Any] | None:
        """Return the stack, or None if there is none (any more), once ``done`` accepts it."""
        return self._poll(
            lambda: self._describe(stack_name),
            done,
            deadline,
            lambda stack: f"stack {stack_name} is still {stack and stack['StackStatus']}",
        )

    def _describe(self, stack_name: str) -> dict[str, Any] | None:
        try:
            stack = self.conn.describe_stacks(StackName=stack_name)["Stacks"][0]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError" and "does not exist" in str(error):
                return None
            raise
        return None if stack["StackStatus"] == "DELETE_COMPLETE" else stack

    def _failure(
        self, operation: str, stack_name: str, stack_id: str, stack: dict[str, Any] | None, token: str
    ) -> AirflowException:
        status = stack["StackStatus"] if stack else "gone"
        events = [
            event
            for event in reversed(list(self._events(stack_id, token)))
            if event["ResourceStatus"].endswith("_FAILED")
            and not event.get("ResourceStatusReason", "").startswith(CANCELLED)
        ]
        failures = [_failed_resource(event) for event in events if event.get("PhysicalResourceId") != stack_id]
        if not failures and any(event.get("DetailedStatus") == "VALIDATION_FAILED" for event in events):
            failures = self._validation_errors(StackName=stack_id)
        reason = "; ".join(failures or map(_failed_resource, events)) or "CloudFormation gives no reason"
        return AirflowException(f"{operation} of stack {stack_name} failed ({status}): {reason}")

    def _events(self, stack_id: str, token: str) -> Iterator[dict[str, Any]]:
        """Return this operation's events, newest first: each has the token that the operation was started with."""
        pages = self.conn.get_paginator("describe_stack_events").paginate(StackName=stack_id)
        events = (event for page in pages for event in page["StackEvents"])
        return takewhile(lambda event: event.get("ClientRequestToken") == token, events)

    def _validation_errors(self, **of: str) -> list[str]:
        """Return what the latest operation found before it touched any resource, such as a name that is taken."""
        pages = self.conn.get_paginator("describe_events").paginate(**of, Filters={"FailedEvents": True})
        try:
            events = [event for page in pages for event in page["OperationEvents"]]
        except ClientError as error:
            # The API is new and a role may lack its permission: the failure is then reported without details.
            self.log.warning("No details of the failed validation: %s", error)
            return []
        latest = max(events, key=itemgetter("Timestamp"))["OperationId"] if events else None
        return [
            f"{event['LogicalResourceId']} ({event['ResourceType']}): {event['ValidationStatusReason']}"
            for event in events
            if event["EventType"] == "VALIDATION_ERROR" and event["OperationId"] == latest
        ]

    def _poll(self, ask: Callable[[], T], done: Callable[[T], bool], deadline: float, still: Callable[[T], str]) -> T:
        """Ask until done, at least once, with growing pauses; after the deadline raise what ``still`` says."""
        pauses = Backoff(first=FIRST_POLL_SECONDS, longest=LONGEST_POLL_SECONDS)
        while not done(answer := ask()):
            left = deadline - time.monotonic()
            if left <= 0:
                raise AirflowException(f"{still(answer)} after its timeout")
            time.sleep(min(pauses.next(), left))
        return answer


def _parameters(given: Mapping[str, str], kept: Iterable[str]) -> dict[str, Any]:
    return {
        "Parameters": [
            *({"ParameterKey": key, "ParameterValue": value} for key, value in given.items()),
            *({"ParameterKey": key, "UsePreviousValue": True} for key in sorted(kept)),
        ]
    }


def _is_settled(stack: Mapping[str, Any] | None) -> bool:
    return stack is None or not stack["StackStatus"].endswith("_IN_PROGRESS")


def _is_at_rest(stack: Mapping[str, Any] | None) -> bool:
    # In REVIEW_IN_PROGRESS nothing is in progress, whatever its name: the change set waits for somebody to execute it.
    return _is_settled(stack) or (stack is not None and stack["StackStatus"] == "REVIEW_IN_PROGRESS")


def _is_gone_or_stuck(stack: Mapping[str, Any] | None) -> bool:
    return stack is None or stack["StackStatus"] == "DELETE_FAILED"


def _failed_resource(event: Mapping[str, Any]) -> str:
    reason = event.get("ResourceStatusReason") or "no reason given"
    return f"{event['LogicalResourceId']} ({event['ResourceType']}): {reason}"


def _outputs(stack: Mapping[str, Any]) -> dict[str, str]:
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
