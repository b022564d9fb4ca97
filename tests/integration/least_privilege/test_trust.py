"""Who may become what, as deployed: services their functions' roles, Snowflake's user its own."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def callers(account):
    """Clients of STS: Snowflake's user, and another one who may assume any role as far as itself goes."""
    iam = account.client("iam")
    iam.create_user(UserName="somebody")
    any_role = (
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]}'
    )
    clients = {}
    for user in ("snowflake", "somebody"):
        iam.put_user_policy(UserName=user, PolicyName="assume", PolicyDocument=any_role)
        key = iam.create_access_key(UserName=user)["AccessKey"]
        clients[user] = account.server.client("sts", key)
    return clients


def assume(sts, account, role: str, **handshake: str) -> str:
    return sts.assume_role(RoleArn=account.role_arn(role), RoleSessionName="test", **handshake)["AssumedRoleUser"][
        "Arn"
    ]


def test_snowflakes_user_becomes_its_role_with_the_agreed_id(account, callers):
    assert "SnowflakeRole" in assume(callers["snowflake"], account, "SnowflakeRole", ExternalId="handshake")


@pytest.mark.parametrize(
    ("user", "handshake"),
    [
        ("snowflake", {}),
        ("snowflake", {"ExternalId": "guessed"}),
        ("somebody", {"ExternalId": "handshake"}),
    ],
)
def test_nobody_else_becomes_it_nor_snowflake_on_somebodys_behalf(account, callers, user, handshake):
    with pytest.raises(ClientError, match="AccessDenied"):
        assume(callers[user], account, "SnowflakeRole", **handshake)


def test_no_user_becomes_a_role_of_a_service(account, callers):
    services = [role for role in account.roles if role != "SnowflakeRole"]
    assert services
    for role in services:
        for sts in callers.values():
            with pytest.raises(ClientError, match="AccessDenied"):
                assume(sts, account, role)
