"""What VerifyPipelineOperator says of a part that is wrong; test_provisioning.py runs it on a real deployment."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from clicks_to_deliveries.operators import verify_pipeline
from clicks_to_deliveries.operators.verify_pipeline import VerifyPipelineOperator

pytestmark = pytest.mark.unit

TOPIC = "arn:aws:sns:us-east-1:111122223333:pipeline-alerts"


class Healthy:
    """The answers of every service of a deployment in which all is right."""

    mapping_state = "Enabled"
    subscription = f"{TOPIC}:1"

    def describe_stream_summary(self, **_: Any) -> dict[str, Any]:
        return {"StreamDescriptionSummary": {"StreamStatus": "ACTIVE"}}

    def describe_table(self, **_: Any) -> dict[str, Any]:
        return {"Table": {"TableStatus": "ACTIVE"}}

    def get_function(self, **_: Any) -> dict[str, Any]:
        return {"Configuration": {"State": "Active"}}

    def list_event_source_mappings(self, **_: Any) -> dict[str, Any]:
        return {"EventSourceMappings": [{"State": self.mapping_state}]}

    def get_bucket_notification_configuration(self, **_: Any) -> dict[str, Any]:
        return {"QueueConfigurations": [{"QueueArn": "queue"}]}

    def get_paginator(self, _: str) -> Any:
        page = {"Subscriptions": [{"SubscriptionArn": self.subscription}]}
        return SimpleNamespace(paginate=lambda **_: [page])

    def cursor(self) -> Healthy:
        return self

    def execute(self, statement: str, *_: Any, **__: Any) -> None:
        self.row = (json.dumps({"executionState": "RUNNING"}) if "pipe" in statement.lower() else False,)

    def fetchone(self) -> tuple[Any]:
        return self.row

    def close(self) -> None:
        pass


def verify(monkeypatch: pytest.MonkeyPatch, services: Healthy, *, mappings_enabled: bool = True) -> None:
    monkeypatch.setattr(verify_pipeline, "aws_client", lambda *_: services)
    monkeypatch.setattr(verify_pipeline, "connect", lambda _: services)
    VerifyPipelineOperator(
        task_id="verify", bucket="b", queue_arn="queue", alert_topic_arn=TOPIC, mappings_enabled=mappings_enabled
    ).execute({})


def test_all_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    verify(monkeypatch, Healthy())


def test_alerts_that_nobody_gets_are_a_failure_that_names_its_runbook(monkeypatch: pytest.MonkeyPatch) -> None:
    services = Healthy()
    services.subscription = "PendingConfirmation"
    with pytest.raises(RuntimeError, match=r"somebody gets the alerts .*alert_subscribers\.md.* is False") as failure:
        verify(monkeypatch, services)
    assert ";" not in str(failure.value)


def test_a_mapping_that_somebody_disabled_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    services = Healthy()
    services.mapping_state = "Disabled"
    with pytest.raises(RuntimeError, match=r"mapping of TruckDataProcessor is \['Disabled'\], not \['Enabled'\]"):
        verify(monkeypatch, services)
    # Where something else delivers, it is as it should be.
    verify(monkeypatch, services, mappings_enabled=False)
