"""The administrator of the local AWS account creates the pipeline's identities, as one of a real account does once."""

from __future__ import annotations

import argparse
import configparser
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from include import naming
from include.cloudformation import IDENTITIES
from include.cloudformation.render import render
from include.local.aws import ministack
from include.settings import settings

# Profile of the credentials file -> user.  On AWS these are the roles of the machines that Airflow and the dashboard
# run on.  They have no right but to become the identities.
USERS = {"default": naming.aws("airflow"), "dashboard-machine": naming.aws("dashboard")}
JOBS = {
    USERS["default"]: ("run", "deploy", "replay", "erase", "traffic"),
    USERS["dashboard-machine"]: ("dashboard",),
}
# The profile of the root: the administrator, and whoever has no identity here, such as AWS's own services.
ROOT_PROFILE = "administrator"
ROOT_KEY = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
SECONDS_TO_DEPLOY = 120

MakeClient = Callable[[str], Any]


def role_arn(stack_name: str, job: str) -> str:
    """The role of a job (run, deploy, replay, erase, dashboard, traffic) or of CloudFormation (stack)."""
    return f"arn:aws:iam::{ministack.ACCOUNT_ID}:role/identities/{stack_name}-{job}"


def boundary_arn(stack_name: str) -> str:
    return f"arn:aws:iam::{ministack.ACCOUNT_ID}:policy/identities/{stack_name}-boundary"


def write_config(file: Path, stack_name: str) -> None:
    """Write the AWS config file: the root, and how the dashboard's machine becomes the dashboard's role."""
    config = configparser.ConfigParser()
    config["default"] = {"region": ministack.REGION}
    config["profile dashboard"] = {"role_arn": role_arn(stack_name, "dashboard"), "source_profile": "dashboard-machine"}
    config[f"profile {ROOT_PROFILE}"] = ROOT_KEY
    with file.open("w") as text:
        config.write(text)


def create_identities(client: MakeClient, credentials: Path, parameters: Mapping[str, str]) -> None:
    """Create the users and roles, or bring them up to date.

    Args:
        client: makes clients of the account's root.
        credentials: the AWS credentials file, where the users' keys are written and kept.
        parameters: of include/cloudformation/identities.yaml, without the principals.

    Raises:
        botocore.exceptions.ClientError, WaiterError: the account refused, or the roles could not be made.
    """
    _ensure_users(client("iam"), credentials, parameters["StackName"])
    principals = {
        "AirflowPrincipalArn": _user_arn(USERS["default"]),
        "DashboardPrincipalArn": _user_arn(USERS["dashboard-machine"]),
    }
    _deploy(client("cloudformation"), f"{parameters['StackName']}-identities", {**parameters, **principals})


def main() -> None:
    parser = argparse.ArgumentParser(description="Create the pipeline's identities on a local AWS account.")
    parser.add_argument("--credentials", type=Path, required=True, help="AWS credentials file to write")
    create_identities(root_client, parser.parse_args().credentials, identity_parameters())


def root_client(service: str) -> Any:
    """A client of the root, at the endpoint of the AWS_* environment."""
    return boto3.client(service, region_name=ministack.REGION, **ROOT_KEY)


def identity_parameters() -> dict[str, str]:
    """The parameters of this process's settings."""
    return {
        "StackName": settings().stack_name,
        "NamePrefix": naming.aws(""),
        "TelemetryBucketName": settings().telemetry_bucket,
        "DeploymentBucketName": settings().deployment_bucket,
        "Teardown": "true",
        "SyntheticTraffic": "true",
    }


def _user_arn(user: str) -> str:
    return f"arn:aws:iam::{ministack.ACCOUNT_ID}:user/{user}"


def _ensure_users(iam: Any, credentials: Path, stack_name: str) -> None:
    """Give each user a key, and let it become its identities; a key that is in the file and still valid stays."""
    known = configparser.ConfigParser()
    known.read(credentials)
    written = configparser.ConfigParser()
    for profile, user in USERS.items():
        written[profile] = _key(iam, user, dict(known[profile]) if known.has_section(profile) else {})
        roles = [role_arn(stack_name, job) for job in JOBS[user]]
        statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": roles}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName=user, PolicyName="identities", PolicyDocument=document)
    credentials.parent.mkdir(parents=True, exist_ok=True)
    credentials.touch(mode=0o600)
    with credentials.open("w") as text:
        written.write(text)


def _key(iam: Any, user: str, known: Mapping[str, str]) -> dict[str, str]:
    try:
        iam.create_user(UserName=user)
    except iam.exceptions.EntityAlreadyExistsException:
        for key in iam.list_access_keys(UserName=user)["AccessKeyMetadata"]:
            if key["AccessKeyId"] == known.get("aws_access_key_id"):
                return dict(known)
            iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])
    key = iam.create_access_key(UserName=user)["AccessKey"]
    return {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}


def _deploy(cloudformation: Any, stack: str, parameters: Mapping[str, str]) -> None:
    request = {
        "StackName": stack,
        "TemplateBody": render(IDENTITIES),
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
    }
    try:
        cloudformation.create_stack(**request)
        done = "stack_create_complete"
    except cloudformation.exceptions.AlreadyExistsException:
        try:
            cloudformation.update_stack(**request)
        except ClientError as error:
            if "No updates are to be performed" in str(error):
                return
            raise
        done = "stack_update_complete"
    wait = {"Delay": 1, "MaxAttempts": SECONDS_TO_DEPLOY}
    cloudformation.get_waiter(done).wait(StackName=stack, WaiterConfig=wait)


if __name__ == "__main__":
    main()
