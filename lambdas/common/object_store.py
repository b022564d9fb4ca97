"""S3: whole objects under keys that depend only on what they hold, so that a retry overwrites its own."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from lambdas.common.aws import store_errors
from lambdas.common.deadline import StoreError


class Bucket:
    """One bucket, object by object."""

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

    def put_new(self, key: str, body: bytes, content_type: str) -> bool:
        """Durable when it returns; False where the key has an object already, which stays as it is.

        Raises:
            StoreError: S3 did neither.
        """
        try:
            with store_errors(f"put s3://{self._name}/{key}"):
                self._client.put_object(
                    Bucket=self._name, Key=key, Body=body, ContentType=content_type, IfNoneMatch="*"
                )
        except StoreError as error:
            if _code(error) == "PreconditionFailed":
                return False
            raise
        return True

    def get(self, key: str) -> bytes | None:
        """The object, or None where there is none.

        Raises:
            StoreError: S3 did not say.
        """
        try:
            with store_errors(f"get s3://{self._name}/{key}"):
                return self._client.get_object(Bucket=self._name, Key=key)["Body"].read()
        except StoreError as error:
            if _code(error) == "NoSuchKey":
                return None
            raise

    def delete(self, key: str) -> None:
        """Gone when it returns; also where it was gone before.

        Raises:
            StoreError: S3 did not confirm.
        """
        with store_errors(f"delete s3://{self._name}/{key}"):
            self._client.delete_object(Bucket=self._name, Key=key)


def _code(error: StoreError) -> str | None:
    cause = error.__cause__
    return cause.response["Error"]["Code"] if isinstance(cause, ClientError) else None
