"""Unit tests reach no network, whatever an integration test before them has left in the environment."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def no_aws_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """moto answers only for AWS's own addresses, and only where no credentials of this machine interfere."""
    for variable in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "testing")
