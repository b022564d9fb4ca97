"""The real template with its real bundles, on a MiniStack that enforces IAM and speaks TLS, as the bucket demands."""

from __future__ import annotations

import json
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from include.cloudformation import TEMPLATE
from include.cloudformation.render import render
from include.local.aws import ministack as local_ministack
from include.local.snowflake import tls
from tests.fixtures.deployment import STACK, Deploy
from tests.fixtures.ministack import MiniStack

BUCKET = "telemetry-of-this-test"
PROGRAM = Path(__file__).with_name("enforcing_ministack.py")
SNOWFLAKE_USER, EXTERNAL_ID = "snowflake", "handshake"

Credentials = dict[str, str]


class EnforcingMiniStack(MiniStack):
    """A MiniStack whose callers may do what IAM lets them; the usual access key, ``test``, is the account's root."""

    def __init__(self, state: Path) -> None:
        super().__init__(state)
        self.tls = tls.ensure(state / "tls")
        self.endpoint = f"https://127.0.0.1:{self.port}"
        self.environment |= {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_CA_BUNDLE": str(self.tls.bundle),
        }

    def start(self) -> None:
        python = local_ministack.prepare(self.port, self.state)
        environment = local_ministack.server_environment(self.port, self.state) | {
            "AUTH": "true",
            "USE_SSL": "1",
            "MINISTACK_SSL_CERT": str(self.tls.certificate),
            "MINISTACK_SSL_KEY": str(self.tls.key),
            "AWS_CA_BUNDLE": str(self.tls.bundle),
        }
        command = [str(python), "-P", "-c", PROGRAM.read_text() + local_ministack.PROGRAM]
        self.process = subprocess.Popen(command, cwd=self.state, env=environment, start_new_session=True)
        try:
            self._wait_until_ready(time.monotonic() + 120)
        except BaseException:
            self.kill()
            raise

    def _wait_until_ready(self, deadline: float) -> None:
        trust = ssl.create_default_context(cafile=str(self.tls.ca))
        while True:
            try:
                urllib.request.urlopen(f"{self.endpoint}/_ministack/ready", timeout=2, context=trust).close()  # noqa: S310
            except (urllib.error.URLError, OSError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def client(self, service: str, credentials: Credentials | None = None, **config: Any) -> Any:
        """A boto3 client of the root, or of whom ``credentials`` (of STS or IAM) belong to."""
        credentials = credentials or {"AccessKeyId": "test", "SecretAccessKey": "test"}
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=local_ministack.REGION,
            verify=str(self.tls.bundle),
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials.get("SessionToken"),
            config=Config(connect_timeout=5, read_timeout=60, retries={"total_max_attempts": 1}, **config),
        )


class Account:
    """The deployed account: ``client`` is the root's, ``as_role`` somebody's who runs with a role's permissions."""

    def __init__(self, server: EnforcingMiniStack) -> None:
        self.server = server
        self.client = cache(server.client)
        self.as_role = cache(self._as_role)
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


@pytest.fixture(scope="package")
def account(deploy: Deploy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    server = EnforcingMiniStack(tmp_path_factory.mktemp("least-privilege"))
    server.start()
    try:
        user = server.client("iam").create_user(UserName=SNOWFLAKE_USER)["User"]
        deploy(server, TelemetryBucketName=BUCKET, SnowflakeUserArn=user["Arn"], SnowflakeExternalId=EXTERNAL_ID)
        yield Account(server)
    finally:
        # Nothing of it is needed again, and a clean end waits for connections that are kept open.
        server.kill()


@pytest.fixture(scope="package")
def policies() -> dict[str, set[str]]:
    """Role of the template -> the actions that it is granted."""
    resources = json.loads(render(TEMPLATE))["Resources"]
    granted: dict[str, set[str]] = {}
    for logical_id, resource in resources.items():
        if resource["Type"] != "AWS::IAM::Role":
            continue
        for policy in resource["Properties"]["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
                granted.setdefault(logical_id, set()).update(actions)
    return granted
