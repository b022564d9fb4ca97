"""The real template with its real bundles, on a MiniStack that enforces IAM and speaks TLS, as the bucket demands."""

from __future__ import annotations

import configparser
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from include import names
from include.cloudformation import IDENTITIES, TEMPLATE
from include.cloudformation.render import render
from include.local.aws import ministack as local_ministack
from include.local.demo import aws_administrator
from tests.fixtures.deployment import CODE_BUCKET, STACK, Deploy
from tests.fixtures.ministack import Credentials, EnforcingMiniStack
from tests.integration.least_privilege.calls import BUCKET, PREFIXES, Call, bucket_of, fill_tables

SNOWFLAKE_USER, EXTERNAL_ID = "snowflake", "handshake"


class Identities:
    """The roles of the jobs: ``identities(job)`` are credentials of one, got as its machine gets them."""

    def __init__(self, server: EnforcingMiniStack) -> None:
        self._server = server
        self._file = server.state / "aws" / "credentials"
        parameters = {"StackName": STACK, "TelemetryBucketName": BUCKET, "DeploymentBucketName": CODE_BUCKET}
        parameters |= {"Teardown": "true", "SyntheticTraffic": "true"}
        aws_administrator.create_identities(server.client, self._file, parameters)

    def machine(self, name: str) -> Credentials:
        """The key of the user that Airflow (``default``) or the dashboard runs as."""
        keys = configparser.ConfigParser()
        keys.read(self._file)
        return {
            "AccessKeyId": keys[name]["aws_access_key_id"],
            "SecretAccessKey": keys[name]["aws_secret_access_key"],
        }

    @cache  # noqa: B019 -- one account a session
    def __call__(self, job: str) -> Credentials:
        sts = self._server.client("sts", self.machine("dashboard-machine" if job == "dashboard" else "default"))
        role = aws_administrator.role_arn(STACK, job)
        return sts.assume_role(RoleArn=role, RoleSessionName=job)["Credentials"]


class Account:
    """The deployed account: ``client`` is the root's, ``as_role`` somebody's who runs with a role's permissions."""

    def __init__(self, server: EnforcingMiniStack, identities: Identities) -> None:
        self.server = server
        self.identities = identities
        self.client = cache(server.client)
        self.as_role = cache(self._as_role)
        self.as_identity = cache(self._as_identity)
        resources = self.client("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
        self.ids = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in resources}
        self.roles = sorted(each["LogicalResourceId"] for each in resources if each["ResourceType"] == "AWS::IAM::Role")

    def role_arn(self, logical_id: str) -> str:
        return self.client("iam").get_role(RoleName=self.ids[logical_id])["Role"]["Arn"]

    @cache  # noqa: B019 -- one account a session
    def _credentials(self, logical_id: str) -> Credentials:
        """Services assume these roles, and none can be told to: so the root is let in for the moment that it takes.

        What a role may do stays as it was deployed.
        """
        iam, role = self.client("iam"), self.ids[logical_id]
        deployed = iam.get_role(RoleName=role)["Role"]
        root = {"AWS": f"arn:aws:iam::{local_ministack.ACCOUNT_ID}:root"}
        trust = {"Effect": "Allow", "Principal": root, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=document)
        try:
            assumed = self.client("sts").assume_role(RoleArn=deployed["Arn"], RoleSessionName="least-privilege")
        finally:
            document = json.dumps(deployed["AssumeRolePolicyDocument"])
            iam.update_assume_role_policy(RoleName=role, PolicyDocument=document)
        return assumed["Credentials"]

    def _as_role(self, logical_id: str, service: str) -> Any:
        return self.server.client(service, self._credentials(logical_id))

    def _as_identity(self, job: str, service: str) -> Any:
        return self.server.client(service, self.identities(job))


@pytest.fixture(scope="package")
def account(deploy: Deploy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    server = EnforcingMiniStack(tmp_path_factory.mktemp("least-privilege"))
    server.start()
    try:
        identities = Identities(server)
        user = server.client("iam").create_user(UserName=SNOWFLAKE_USER)["User"]
        deploy(
            server,
            TelemetryBucketName=BUCKET,
            SnowflakeUserArn=user["Arn"],
            SnowflakeExternalId=EXTERNAL_ID,
            PermissionsBoundaryArn=aws_administrator.boundary_arn(STACK),
            credentials=identities("deploy"),
            role_arn=aws_administrator.role_arn(STACK, "stack"),
        )
        yield Account(server, identities)
    finally:
        # Nothing of it is needed again, and a clean end waits for connections that are kept open.
        server.kill()


@pytest.fixture(scope="package")
def policies() -> dict[str, set[str]]:
    """Role of the pipeline's template -> the actions that it is granted."""
    return granted(TEMPLATE)


@pytest.fixture(scope="package")
def identity_policies() -> dict[str, set[str]]:
    """Role of a job -> the actions that it is granted."""
    found = granted(IDENTITIES)
    teardown = found.pop("TeardownPolicy")
    return {**found, "DeployRole": found["DeployRole"] | teardown}


def granted(template: Path) -> dict[str, set[str]]:
    """Role or policy of roles -> the actions of its statements."""
    found: dict[str, set[str]] = {}
    for logical_id, resource in json.loads(render(template))["Resources"].items():
        properties = resource["Properties"]
        policies = [properties] if resource["Type"] == "AWS::IAM::Policy" else properties.get("Policies", [])
        for policy in policies if resource["Type"].startswith("AWS::IAM::") else []:
            for statement in policy["PolicyDocument"]["Statement"]:
                actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
                found.setdefault(logical_id, set()).update(actions)
    return found


@pytest.fixture(scope="package")
def filled(account):
    """The account with an object under every prefix and a row in every table, so that only IAM can refuse a read."""
    for prefix in (*PREFIXES, names.ABANDONED_PREFIX):
        for name in ("present", "expendable"):
            account.client("s3").put_object(Bucket=bucket_of(prefix), Key=f"{prefix}{name}", Body=b"x")
    fill_tables(account)
    return account


@pytest.fixture(scope="package")
def assert_root_gets_through():
    """Whoever may do everything gets through with the same call: it is the role that was refused."""
    through: set[str] = set()

    def check(account: Any, beside: Call) -> None:
        if str(beside) in through:
            return
        beside.make(account.client(beside.service), account)
        if beside.service == "dynamodb":
            fill_tables(account)  # The row that has just been deleted, perhaps.
        through.add(str(beside))

    return check
