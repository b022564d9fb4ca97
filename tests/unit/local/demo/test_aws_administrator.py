"""The administrator of the local AWS account."""

from __future__ import annotations

import configparser
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from include.local.demo.aws_administrator import create_identities

pytestmark = pytest.mark.unit

PARAMETERS = {
    "StackName": "pipeline",
    "NamePrefix": "",
    "TelemetryBucketName": "telemetry",
    "DeploymentBucketName": "bundles",
    "Teardown": "false",
    "SyntheticTraffic": "false",
}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield


def client(service: str) -> Any:
    return boto3.client(service, region_name="us-east-1")


def keys(file: Path) -> dict[str, str]:
    read = configparser.ConfigParser()
    read.read(file)
    return {name: read[name]["aws_access_key_id"] for name in read.sections()} | {
        "default": read["default"]["aws_access_key_id"]
    }


def test_each_machine_has_a_key_that_stays_and_that_its_owner_alone_can_read(aws, tmp_path):
    file = tmp_path / "aws" / "credentials"
    create_identities(client, file, PARAMETERS)
    first = keys(file)
    assert set(first) == {"default", "dashboard-machine"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    create_identities(client, file, PARAMETERS)
    assert keys(file) == first


def test_a_new_account_gets_new_keys_and_a_lost_file_replaces_them(aws, tmp_path):
    file = tmp_path / "credentials"
    create_identities(client, file, PARAMETERS)
    first = keys(file)
    file.unlink()
    create_identities(client, file, PARAMETERS)
    assert set(keys(file).values()).isdisjoint(first.values())
    # AWS lets a user have two.
    for user in ("airflow", "dashboard"):
        assert len(client("iam").list_access_keys(UserName=user)["AccessKeyMetadata"]) == 1


def test_a_changed_parameter_changes_the_roles(aws, tmp_path):
    file = tmp_path / "credentials"
    create_identities(client, file, PARAMETERS)
    jobs = {f"pipeline-{job}" for job in ("run", "replay", "erase", "dashboard", "deploy", "stack")}
    assert jobs <= roles()
    assert "pipeline-traffic" not in roles()

    create_identities(client, file, PARAMETERS | {"SyntheticTraffic": "true"})
    assert jobs | {"pipeline-traffic"} <= roles()


def roles() -> set[str]:
    return {role["RoleName"] for role in client("iam").list_roles(PathPrefix="/identities/")["Roles"]}
