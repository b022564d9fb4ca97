"""Deploys an AWS stack: creates it, updates it, or leaves it alone, as its template requires."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, Context

from clicks_to_deliveries import operator_links as buttons
from clicks_to_deliveries.operators.killable import Killable
from include import names
from include.cloudformation.render import render

if TYPE_CHECKING:
    from clicks_to_deliveries.hooks.stack import StackHook, Watch


class DeployStackOperator(Killable, BaseOperator):
    """Deploys a CloudFormation template by change set and returns the stack's outputs.

    Idempotent: it changes nothing if nothing differs, and a re-run waits for an operation that an earlier run started.
    CloudFormation rolls back a failed deployment, and the task's error names the failing resource, its type and its
    reason.

    :param stack_name: the stack (templated).
    :param template: path of the template file (templated); the files that it includes are inserted.
    :param parameters: values of the template's parameters (templated); numbers and booleans are written as
        CloudFormation expects them.  A parameter that is left out keeps its value in the stack, or its default when the
        stack is created.
    :param if_empty: values of parameters that are "" otherwise.
    :param stepwise: parameters with a number that one deployment may at most double or halve, such as the shards of a
        stream.  If the stack has another value, it is deployed as often as that takes.  A run that is stopped in
        between goes on from the value that was reached.
    :param template_bucket: bucket (templated) for a template that is too large for a request (over 51,200 bytes);
        without it such a template is refused.
    :param tags: (templated) tags of the stack, which CloudFormation also gives to its resources; None keeps what is
        there.
    :param protected: whether the stack is protected from deletion, and from updates that its ``stack_policy`` forbids;
        None leaves that alone.
    :param stack_policy: path of a stack policy, for a stack that is protected.
    :param watched_alarms: alarms (logical ids, at most five) that roll an update back if one fires during it or within
        ``watch_minutes`` after it; only in the last step.
    :param capabilities: what the template is allowed to do; ``CAPABILITY_IAM`` by default, because it creates roles.
    :param role_arn: role (templated) with which CloudFormation changes the resources; None for the caller's own rights.
        A stack keeps the role that it was last deployed with.
    :param timeout: how long the stack may take to settle; keep it below the task's ``execution_timeout``.
    """

    operator_extra_links = (buttons.RUNBOOK, buttons.STACK)

    template_fields = ("stack_name", "template", "parameters", "template_bucket", "tags", "role_arn")
    ui_color = "#6b9659"

    def __init__(
        self,
        *,
        stack_name: str,
        template: str | Path,
        parameters: Mapping[str, str | int | bool] | None = None,
        if_empty: Mapping[str, str] | None = None,
        stepwise: Sequence[str] = (),
        template_bucket: str | None = None,
        tags: Mapping[str, str] | None = None,
        protected: bool | None = None,
        stack_policy: str | Path = "",
        watched_alarms: Sequence[str] = (),
        watch_minutes: int = 0,
        capabilities: Sequence[str] = ("CAPABILITY_IAM",),
        role_arn: str | None = None,
        timeout: timedelta = timedelta(minutes=30),
        aws_conn_id: str | None = names.DEPLOYER_AWS_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.stack_name = stack_name
        self.template = str(template)
        self.parameters = dict(parameters or {})
        self.if_empty = dict(if_empty or {})
        self.stepwise = stepwise
        self.template_bucket = template_bucket
        self.tags = tags
        self.protected = protected
        self.stack_policy = stack_policy
        self.watched_alarms = watched_alarms
        self.watch_minutes = watch_minutes
        self.capabilities = capabilities
        self.role_arn = role_arn
        self.timeout = timeout
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> dict[str, str]:
        """Deploy.

        Returns:
            the stack's outputs by name.

        Raises:
            AirflowException: see ``StackHook.deploy``.
        """
        from clicks_to_deliveries.hooks.stack import StackHook, Watch

        hook = StackHook(aws_conn_id=self.aws_conn_id)  # type: ignore[no-untyped-call] # Airflow's __init__.
        parameters = {name: _text(value) or self.if_empty.get(name, "") for name, value in self.parameters.items()}
        *before, last = self._steps(hook, parameters)
        for values in before:
            self._deploy(hook, parameters | values)
        outputs = self._deploy(hook, parameters | last, Watch(self.watched_alarms, self.watch_minutes))
        if self.protected:
            hook.protect(self.stack_name, Path(self.stack_policy).read_text(encoding="utf-8"))
        elif self.protected is False:
            hook.unprotect(self.stack_name)
        return outputs

    def _steps(self, hook: StackHook, wanted: Mapping[str, str]) -> list[dict[str, str]]:
        """The values of the stepwise parameters in each deployment, the last one being what is wanted."""
        present = hook.parameters(self.stack_name) if self.stepwise else {}
        sizes = {name: (int(present.get(name, wanted[name])), int(wanted[name])) for name in self.stepwise}
        return [{name: str(value) for name, value in step.items()} for step in steps(sizes)]

    def _deploy(self, hook: StackHook, parameters: Mapping[str, str], watch: Watch | None = None) -> dict[str, str]:
        if self.stepwise:
            self.log.info("Deploying with %s", {name: parameters[name] for name in self.stepwise})
        deployment = hook.deploy(
            self.stack_name,
            render(Path(self.template), parameters),
            parameters=parameters,
            capabilities=self.capabilities,
            template_bucket=self.template_bucket,
            tags=self.tags,
            watch=watch,
            role_arn=self.role_arn,
            timeout=self.timeout,
        )
        return deployment.outputs


def steps(sizes: Mapping[str, tuple[int, int]]) -> list[dict[str, int]]:
    """Name -> (present, wanted), in the fewest steps that each at most double or halve a size; at least one step."""
    found = []
    sizes = dict(sizes)
    while True:
        sizes = {name: (_towards(present, wanted), wanted) for name, (present, wanted) in sizes.items()}
        found.append({name: present for name, (present, _) in sizes.items()})
        if all(present == wanted for present, wanted in sizes.values()):
            return found


def _towards(present: int, wanted: int) -> int:
    return min(2 * present, wanted) if wanted > present else max(-(-present // 2), wanted)


def _text(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
