"""The stores of an erasure, on moto."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import boto3
import pytest
from moto import mock_aws

from tests.fixtures.erasure_stores import Cloud


@pytest.fixture(scope="session")
def session() -> boto3.Session:
    """One session for all tests: creating a client is slow because it reads the service's model."""
    return boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name="us-east-1")


@pytest.fixture
def cloud(session: boto3.Session, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with mock_aws():
        yield Cloud(session)


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)
