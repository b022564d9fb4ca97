"""Whole objects in S3.  A key depends only on its object's content, so a retry writes the same object again."""

from __future__ import annotations

from typing import IO, Protocol, TypedDict

from botocore.exceptions import ClientError

from lambdas.common.aws import store_errors
from lambdas.common.deadline import StoreError


class _GetObjectAnswer(TypedDict):
    """The part of GetObject's answer that is used here."""

    Body: IO[bytes]


class S3Client(Protocol):
    """The calls to S3."""

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str, IfNoneMatch: str = ...) -> object: ...

    def get_object(self, *, Bucket: str, Key: str) -> _GetObjectAnswer: ...

    def delete_object(self, *, Bucket: str, Key: str) -> object: ...


class Bucket:
    """One bucket, object by object."""

    def __init__(self, client: S3Client, name: str) -> None:
        self._client = client
        self._name = name

    def put(self, key: str, body: bytes, content_type: str) -> None:
        """Write an object.  It is durable when this returns.

        Raises:
            StoreError: S3 did not confirm the object.
        """
        with store_errors(f"put s3://{self._name}/{key}"):
            self._client.put_object(Bucket=self._name, Key=key, Body=body, ContentType=content_type)

    def put_new(self, key: str, body: bytes, content_type: str) -> bool:
        """Write an object unless the key has one already; return whether it was written.

        Raises:
            StoreError: S3 neither confirmed nor refused the object.
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
        """The object's bytes, or None if there is no such object.

        Raises:
            StoreError: S3 did not answer.
        """
        try:
            with store_errors(f"get s3://{self._name}/{key}"):
                return self._client.get_object(Bucket=self._name, Key=key)["Body"].read()
        except StoreError as error:
            if _code(error) == "NoSuchKey":
                return None
            raise

    def delete(self, key: str) -> None:
        """Delete an object, if it exists.

        Raises:
            StoreError: S3 did not confirm.
        """
        with store_errors(f"delete s3://{self._name}/{key}"):
            self._client.delete_object(Bucket=self._name, Key=key)


def _code(error: StoreError) -> str | None:
    cause = error.__cause__
    return cause.response["Error"]["Code"] if isinstance(cause, ClientError) else None
