"""Uploads the Lambda bundles to the bucket where CloudFormation finds them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, Context

from clicks_to_deliveries.operators.killable import Killable
from include import names
from lambdas.bundle import bundle

if TYPE_CHECKING:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

PREFIX = "lambda/"


class PublishBundlesOperator(Killable, BaseOperator):
    """Builds each function's bundle and uploads it; creates the bucket, encrypted and private, if it is missing.

    A bundle is reproducible and its key has its digest.  The same code and locks give the same key, so nothing is
    uploaded twice, and nothing is deployed twice later.

    :param bucket: (templated) the deployment bucket.
    :param functions: template parameter -> function directory under ``lambdas/``.
    :param python_version: version of the Lambda runtime, such as "3.13".
    :param platform: uv's name of the platform whose compiled dependencies are bundled.

    Returns template parameter -> key in the bucket.
    """

    template_fields = ("bucket",)

    def __init__(
        self,
        *,
        bucket: str,
        functions: dict[str, str],
        python_version: str,
        platform: str,
        aws_conn_id: str = names.DEPLOYER_AWS_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.bucket = bucket
        self.functions = functions
        self.python_version = python_version
        self.platform = platform
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> dict[str, str]:
        from airflow.providers.amazon.aws.hooks.s3 import S3Hook

        hook = S3Hook(aws_conn_id=self.aws_conn_id)
        self._ensure_bucket(hook)
        with tempfile.TemporaryDirectory() as directory:
            return {parameter: self._publish(hook, name, Path(directory)) for parameter, name in self.functions.items()}

    def _ensure_bucket(self, hook: S3Hook) -> None:
        if hook.check_for_bucket(self.bucket):
            return
        hook.create_bucket(self.bucket)
        client = hook.get_conn()
        client.put_public_access_block(
            Bucket=self.bucket,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "IgnorePublicAcls": True,
                "BlockPublicPolicy": True,
                "RestrictPublicBuckets": True,
            },
        )
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
        client.put_bucket_encryption(Bucket=self.bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
        self.log.info("Created bucket %s", self.bucket)

    def _publish(self, hook: S3Hook, function: str, directory: Path) -> str:
        archive = bundle(function, python_version=self.python_version, platform=self.platform, output_dir=directory)
        key = PREFIX + archive.name
        if hook.check_for_key(key, self.bucket):
            self.log.info("%s already exists", key)
        else:
            hook.load_file(archive, key, self.bucket)
            self.log.info("Uploaded %s (%d bytes)", key, archive.stat().st_size)
        return key
