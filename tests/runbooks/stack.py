"""The running demo, as a test sees it: who breaks it, what people are sent, and what CloudWatch would see."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import boto3
import psutil

from include import names
from include.cloudformation import TEMPLATE
from include.cloudformation.render import render
from tests.fixtures.cloudwatch_alarms import Alarm, Metrics, Semantics
from tests.fixtures.named_template import named_template
from tests.runbooks.on_call import wait_until

# A service's metric of one phase: what CloudWatch would count in each minute of it.
Seen = dict[tuple[str, str, tuple[tuple[str, str], ...]], list[float]]

# Alerts of send_alerts itself wait for its next run, up to five minutes.
MAIL_SECONDS = 420
PHASE_MINUTES = 45
SEMANTICS = Semantics(2, fill_needs_a_point=False, dynamodb_ignores_missing=False, old_points_decide=True)
LAMBDA_METRICS = ("Invocations", "Errors", "Throttles")
HEARTBEAT_METRICS = (
    names.SCHEDULER_HEARTBEAT,
    names.TRIGGERER_HEARTBEAT,
    names.ABANDONED_BATCHES_METRIC,
    names.ARCHIVE_ERRORS_METRIC,
    names.ALERT_SUBSCRIBERS_METRIC,
)
FUNCTIONS = (
    names.CLICK_FUNCTION,
    names.TRUCK_FUNCTION,
    names.API_FUNCTION,
    names.ARCHIVE_FUNCTION,
    names.INTAKE_FUNCTION,
)


class Mail:
    """What the subscribers of the alert topic get."""

    def __init__(self) -> None:
        self._sqs, sns = boto3.client("sqs"), boto3.client("sns")
        self.topic = next(
            each["TopicArn"] for each in sns.list_topics()["Topics"] if names.ALERT_TOPIC in each["TopicArn"]
        )
        self._queue = self._sqs.create_queue(QueueName=f"people-on-call-{time.time_ns()}")["QueueUrl"]
        asked = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])
        self.endpoint = asked["Attributes"]["QueueArn"]
        allowed = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
        policy = {"Version": "2012-10-17", "Statement": [{**allowed, "Resource": self.endpoint}]}
        self._sqs.set_queue_attributes(QueueUrl=self._queue, Attributes={"Policy": json.dumps(policy)})
        sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=self.endpoint)
        self.subjects: list[str] = []
        self._texts: list[str] = []

    def expect(self, subject: str, *texts: str) -> str:
        """Wait for a message that was not expected before; return its text.

        Args:
            subject: how its subject begins.
            texts: what it says.
        """
        return str(wait_until(lambda: self._take(subject, texts), MAIL_SECONDS, f"a message {subject!r}"))

    def _take(self, subject: str, texts: tuple[str, ...]) -> str | None:
        answer = self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for message in answer.get("Messages", []):
            body = json.loads(message["Body"])
            self.subjects.append(body.get("Subject") or "")
            self._texts.append(body["Message"])
            self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
        for place, (head, text) in enumerate(zip(self.subjects, self._texts, strict=True)):
            if head.startswith(subject) and all(each in text for each in texts):
                del self.subjects[place], self._texts[place]
                return text
        return None


class CloudWatch:
    """The alarms of the template, on what the stack does.

    MiniStack has the metrics of its Lambda and those that are put, but evaluates neither expressions nor dimensions.
    So the alarms are evaluated here, as CloudWatch's guide says, and what the stack does in a phase of a test counts
    as what it does in each minute of a longer one.
    """

    def __init__(self) -> None:
        self._metrics = boto3.client("cloudwatch")
        self._logs = boto3.client("logs")
        template = named_template(json.loads(render(TEMPLATE)))
        self._properties = {name: each["Properties"] for name, each in template["Resources"].items()}
        self._defaults = {name: each.get("Default", name) for name, each in template["Parameters"].items()}
        self._phases: list[Seen] = []

    def see(self, act: Callable[[], Seen | None]) -> None:
        """Keep what the services report while the stack does ``act``, which returns what MiniStack has no metric of."""
        began = time.time()
        counted = act() or {}
        self._phases.append(self._seen(began) | counted)

    def state(self, alarm_id: str) -> list[str]:
        """The alarm's state at the end of each phase."""
        alarm = Alarm(self._resolved(self._properties[alarm_id]), SEMANTICS)
        metrics, minute, states = Metrics(), 0, []
        for phase in self._phases:
            for _ in range(PHASE_MINUTES):
                for name, values in phase.items():
                    metrics.put(minute, name, *values)
                minute += 1
                alarm.evaluate(metrics, minute)
            states.append(alarm.state)
        return states

    def invocations(self, function: str, began: float) -> float:
        """How often the function was invoked since ``began``."""
        return self._sum("AWS/Lambda", "Invocations", began, FunctionName=function) or 0.0

    def _seen(self, began: float) -> Seen:
        seen: Seen = {}
        for function in FUNCTIONS:
            for name in LAMBDA_METRICS:
                if (total := self._sum("AWS/Lambda", name, began, FunctionName=function)) is not None:
                    seen["AWS/Lambda", name, (("FunctionName", function),)] = [total]
            for key, values in self._embedded(function, began).items():
                seen.setdefault(key, []).extend(values)
        # S3 invokes it asynchronously, and nobody else does.  MiniStack has no metric of that.
        if taken := self._started(names.INTAKE_FUNCTION, began):
            seen["AWS/Lambda", "AsyncEventsReceived", (("FunctionName", names.INTAKE_FUNCTION),)] = [taken]
        for name in HEARTBEAT_METRICS:
            if (last := self._sum(names.METRICS_NAMESPACE, name, began, "Maximum")) is not None:
                seen[names.METRICS_NAMESPACE, name, ()] = [last]
        return seen

    def _sum(self, namespace: str, name: str, began: float, statistic: str = "Sum", **dimensions: str) -> float | None:
        answer = self._metrics.get_metric_statistics(
            Namespace=namespace,
            MetricName=name,
            Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
            StartTime=began,
            EndTime=time.time() + 1,
            Period=60,
            Statistics=[statistic],
        )
        values = [point[statistic] for point in answer["Datapoints"]]
        return max(values) if values and statistic == "Maximum" else sum(values) if values else None

    def _logged(self, function: str, began: float) -> Iterator[str]:
        """The lines of a function's log since ``began``."""
        pages = self._logs.get_paginator("filter_log_events")
        with suppress(self._logs.exceptions.ResourceNotFoundException):
            for page in pages.paginate(logGroupName=f"/aws/lambda/{function}", startTime=int(began * 1000)):
                yield from (event["message"] for event in page["events"])

    def _started(self, function: str, began: float) -> float:
        return float(sum(line.startswith("START RequestId") for line in self._logged(function, began)))

    def _embedded(self, function: str, began: float) -> Seen:
        """The metrics in the lines that a function logged (embedded metric format)."""
        seen: Seen = {}
        for message in self._logged(function, began):
            start = message.find("{")
            if '"_aws"' not in message or start < 0:
                continue
            line = json.loads(message[start:])
            for directive in line["_aws"]["CloudWatchMetrics"]:
                for keys in directive["Dimensions"] or [[]]:
                    dimensions = tuple(sorted((key, str(line[key])) for key in keys))
                    for metric in directive["Metrics"]:
                        values = line[metric["Name"]]
                        key = directive["Namespace"], metric["Name"], dimensions
                        seen.setdefault(key, []).extend(values if isinstance(values, list) else [values])
        return seen

    def _resolved(self, node: Any) -> Any:
        """``node`` with each reference replaced: by a parameter's default, a resource's name or its logical id."""
        match node:
            case {"Ref": str(name)}:
                return self._defaults.get(name) or self._name(name)
            case dict():
                return {key: self._resolved(value) for key, value in node.items()}
            case list():
                return [self._resolved(value) for value in node]
        return node

    def _name(self, resource: str) -> str:
        given = self._properties[resource]
        return next(
            (given[key] for key in ("FunctionName", "Name", "TableName", "StageName") if key in given), resource
        )


def process(command: str) -> psutil.Process:
    """The demo's process with these words in its command line."""
    for each in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            is_of_demo = each.environ().get("AIRFLOW_HOME") == os.environ["AIRFLOW_HOME"]
            if is_of_demo and command in " ".join(each.cmdline()):
                return each
    raise LookupError(command)
