"""Erasure's stores on moto."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import boto3
import pytest
from moto import mock_aws

from tests.fixtures.erasure_stores import Cloud


@pytest.fixture(scope="session")
def session() -> boto3.Session:
    """One for all tests: reading the service's model is most of what making a client costs."""
    return boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name="us-east-1")


@pytest.fixture
def cloud(session: boto3.Session, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with mock_aws():
        yield Cloud(session)


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)
