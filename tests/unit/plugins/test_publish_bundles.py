"""Bundles in S3 (moto's): each is uploaded once, to a private bucket."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clicks_to_deliveries.operators import publish_bundles
from clicks_to_deliveries.operators.publish_bundles import PublishBundlesOperator

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def code(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The bundles' content by function."""
    content = {"kinesis_to_dynamodb": b"clicks 1", "truck_data": b"trucks 1"}

    def bundle(function: str, *, python_version: str, platform: str, output_dir: Path) -> Path:
        assert (python_version, platform) == ("3.13", "aarch64-manylinux_2_28")
        path = output_dir / f"{function}-{content[function].hex()}.zip"
        path.write_bytes(content[function])
        return path

    monkeypatch.setattr(publish_bundles, "bundle", bundle)
    return content


def publish() -> dict[str, str]:
    operator = PublishBundlesOperator(
        task_id="publish",
        bucket="deployment",
        functions={"ClickCodeKey": "kinesis_to_dynamodb", "TruckCodeKey": "truck_data"},
        python_version="3.13",
        platform="aarch64-manylinux_2_28",
    )
    return operator.execute({})


def test_each_function_is_uploaded_under_the_key_returned(aws: Callable[[str], Any]) -> None:
    keys = publish()
    assert set(keys) == {"ClickCodeKey", "TruckCodeKey"}
    s3 = aws("s3")
    assert s3.get_object(Bucket="deployment", Key=keys["TruckCodeKey"])["Body"].read() == b"trucks 1"


def test_a_missing_bucket_is_created_in_the_region_encrypted_and_private(aws: Callable[[str], Any]) -> None:
    publish()
    s3 = aws("s3")
    assert s3.get_bucket_location(Bucket="deployment")["LocationConstraint"] == s3.meta.region_name
    assert all(s3.get_public_access_block(Bucket="deployment")["PublicAccessBlockConfiguration"].values())
    (rule,) = s3.get_bucket_encryption(Bucket="deployment")["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"


def test_the_same_code_again_uploads_nothing_and_returns_the_same_keys(aws: Callable[[str], Any]) -> None:
    first = publish()
    s3 = aws("s3")
    before = [entry["LastModified"] for entry in s3.list_objects_v2(Bucket="deployment")["Contents"]]
    s3.put_object(Bucket="deployment", Key=first["TruckCodeKey"], Body=b"as it was")
    assert publish() == first
    assert s3.get_object(Bucket="deployment", Key=first["TruckCodeKey"])["Body"].read() == b"as it was"
    assert len(before) == 2


def test_changed_code_gets_a_new_key_beside_the_old_one(aws: Callable[[str], Any], code: dict[str, bytes]) -> None:
    first = publish()
    code["truck_data"] = b"trucks 2"
    second = publish()
    assert second["ClickCodeKey"] == first["ClickCodeKey"]
    assert second["TruckCodeKey"] != first["TruckCodeKey"]
    assert aws("s3").list_objects_v2(Bucket="deployment")["KeyCount"] == 3
