"""docs/erasure.md names exactly the permissions that an erasure uses."""

import re
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.fixtures.erasure_stores import Watched, fill

pytestmark = pytest.mark.unit

DOCS = Path(__file__).parents[3] / "docs"


ACTIONS = {
    ("ListObjectVersions", False): "s3:ListBucketVersions",
    ("GetObject", True): "s3:GetObjectVersion",
    ("HeadObject", False): "s3:GetObject",
    ("PutObject", False): "s3:PutObject",
    ("DeleteObject", False): "s3:DeleteObject",
    ("DeleteObject", True): "s3:DeleteObjectVersion",
    ("GetItem", False): "dynamodb:GetItem",
    ("DeleteItem", False): "dynamodb:DeleteItem",
}
# Needed only so that S3 answers "no such key".
NOT_CALLED = {"s3:ListBucket"}


def test_the_documented_rights_are_those_that_are_used(cloud):
    fill(cloud)
    used: set[str] = set()
    places: set[str] = set()

    def note(model: Any, params: dict[str, Any], **_: Any) -> None:
        used.add(ACTIONS[model.name, "VersionId" in params])
        places.add(params.get("Key") if "Bucket" in params and "Key" in params else params.get("Prefix"))

    for client in (cloud.s3, cloud.dynamodb):
        client.meta.events.register("before-parameter-build", note)
    refusals = iter([True])

    def refuse(operation: str, arguments: dict[str, Any]) -> None:
        if operation == "put_object" and next(refusals, False):
            raise ClientError({"Error": {"Code": "ConditionalRequestConflict"}}, "PutObject")

    cloud.erase(s3=Watched(cloud.s3, before=refuse))
    cloud.erase(dry_run=True)

    rights = (DOCS / "erasure.md").read_text().partition("## Rights")[2].partition("snowflake_erasure")[0]
    assert used | NOT_CALLED == set(re.findall(r"`((?:s3|dynamodb):\w+)`", rights))
    prefixes = re.findall(r"`([\w/-]+/)`", rights)
    assert len(prefixes) == 10
    assert [place for place in places if place and not place.startswith(tuple(prefixes))] == []
