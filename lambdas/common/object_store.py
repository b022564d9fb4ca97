"""S3: whole objects under keys that depend only on what they hold, so that a retry overwrites its own."""

from __future__ import annotations

from typing import Any

from lambdas.common.aws import store_errors


class Bucket:
    """One bucket, written object by object."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def put(self, key: str, body: bytes, content_type: str) -> None:
        """Durable when it returns.

        Raises:
            StoreError: S3 did not confirm the object.
        """
        with store_errors(f"put s3://{self._name}/{key}"):
            self._client.put_object(Bucket=self._name, Key=key, Body=body, ContentType=content_type)
