"""The bucket speaks only TLS, and not to the public."""

from __future__ import annotations

import json

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from include import names

pytestmark = pytest.mark.integration

BUCKET = "telemetry-of-this-test"
KEY = f"{names.LANDING_PREFIX}object"
ROLE = "SnowflakeRole"


def refusal(make, **parameters) -> str:
    """Code and message with which the call is refused."""
    with pytest.raises(ClientError) as refused:
        make(**parameters)
    error = refused.value.response["Error"]
    return f"{error['Code']}: {error['Message']}"


@pytest.fixture
def landed(account):
    account.client("s3").put_object(Bucket=BUCKET, Key=KEY, Body=b"x")
    return account


@pytest.mark.parametrize("operation", ["get_object", "head_object"])
def test_what_tls_may_do_plain_http_may_not(landed, operation):
    allowed = landed.as_role(ROLE, "s3")
    getattr(allowed, operation)(Bucket=BUCKET, Key=KEY)

    plain = landed.as_role.__wrapped__(ROLE, "s3")
    # As behind a proxy that ends TLS: MiniStack has one port, and it speaks TLS.
    plain.meta.events.register(
        "before-send.s3", lambda request, **_: request.headers.__setitem__("X-Forwarded-Proto", "http")
    )
    refused = refusal(getattr(plain, operation), Bucket=BUCKET, Key=KEY)
    # The answer to HEAD has no body to say why.
    assert "explicit deny in a resource-based policy" in refused or operation == "head_object"
    assert refused.startswith(("AccessDenied", "403"))


def test_nobody_without_a_name_reads_lists_or_writes(landed):
    stranger = boto3.client(
        "s3",
        endpoint_url=landed.server.endpoint,
        verify=landed.server.environment["AWS_CA_BUNDLE"],
        region_name="us-east-1",
        config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}),
    )
    assert refusal(stranger.get_object, Bucket=BUCKET, Key=KEY).startswith("AccessDenied")
    assert refusal(stranger.list_objects_v2, Bucket=BUCKET).startswith("AccessDenied")
    assert refusal(stranger.put_object, Bucket=BUCKET, Key=KEY, Body=b"").startswith("AccessDenied")


def test_not_even_the_root_makes_it_public(landed):
    s3 = landed.client("s3")
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [everybody]})
    assert "BlockPublicPolicy" in refusal(s3.put_bucket_policy, Bucket=BUCKET, Policy=policy)
    for acl in (
        {"make": s3.put_bucket_acl},
        {"make": s3.put_object_acl, "Key": KEY},
        {"make": s3.put_object, "Key": KEY, "Body": b""},
    ):
        refused = refusal(**acl, Bucket=BUCKET, ACL="public-read")
        assert refused.startswith(("AccessControlListNotSupported", "AccessDenied"))
