"""S3 for COPY: lists and reads objects with the process's own AWS_* environment."""

from __future__ import annotations

import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from .errors import TransientError

_READERS = 8
_creating = threading.Lock()
_clients: dict[str, Any] = {}
_MISSING = {"NoSuchKey", "NoSuchBucket", "404", "AccessDenied", "403"}


@dataclass(frozen=True)
class StoredFile:
    """An object of a bucket with its unpacked content; ``error`` says why the content is missing."""

    key: str
    size: int = 0
    etag: str = ""
    last_modified: datetime | None = None
    content: bytes = b""
    error: str | None = None


def client(service: str) -> Any:
    """The process's boto3 client, with bounded retries and timeouts."""
    with _creating:  # boto3's default session serves one thread at a time
        if service not in _clients:
            _clients[service] = _new_client(service)
        return _clients[service]


def _new_client(service: str) -> Any:
    config = Config(
        connect_timeout=2,
        read_timeout=30,
        retries={"max_attempts": 3, "mode": "standard"},
        max_pool_connections=_READERS * 2,
    )
    return boto3.client(service, config=config)


@dataclass(frozen=True)
class ListedObject:
    key: str
    last_modified: datetime
    etag: str


def list_objects(bucket: str, prefix: str) -> list[ListedObject]:
    """Every object under ``prefix``, by key.

    Raises:
        TransientError: S3 can't be reached or refuses.
    """
    try:
        pages = client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [
            ListedObject(found["Key"], found["LastModified"], found["ETag"].strip('"'))
            for page in pages
            for found in page.get("Contents", [])
        ]
    except (BotoCoreError, ClientError) as error:
        raise TransientError(f"Failure using stage area. Cause: [{error}]", 2003, "02000") from error


def etag(bucket: str, key: str) -> str | None:
    """An object's ETag; None if the object is missing.

    Raises:
        TransientError: S3 can't be reached.
    """
    try:
        return str(client("s3").head_object(Bucket=bucket, Key=key)["ETag"]).strip('"')
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in _MISSING:
            return None
        raise TransientError(f"Failure using stage area. Cause: [{error}]", 2003, "02000") from error
    except BotoCoreError as error:
        raise TransientError(f"Failure using stage area. Cause: [{error}]", 2003, "02000") from error


def read_objects(bucket: str, keys: list[str], compression: str) -> list[StoredFile]:
    """Read the objects ``keys`` in parallel; the result is in their order.

    Raises:
        TransientError: S3 can't be reached.  A missing or damaged object is that file's ``error`` instead.
    """
    with ThreadPoolExecutor(min(_READERS, len(keys) or 1)) as readers:
        return list(readers.map(lambda key: _read(bucket, key, compression), keys))


def _read(bucket: str, key: str, compression: str) -> StoredFile:
    try:
        response = client("s3").get_object(Bucket=bucket, Key=key)
        packed = response["Body"].read()
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in _MISSING:
            return StoredFile(key, error=f"Remote file '{key}' was not found or can't be read: {error}")
        raise TransientError(f"Failure reading '{key}'. Cause: [{error}]", 2003, "02000") from error
    except BotoCoreError as error:
        raise TransientError(f"Failure reading '{key}'. Cause: [{error}]", 2003, "02000") from error
    found = StoredFile(key, len(packed), response["ETag"].strip('"'), response["LastModified"], packed)
    gzipped = compression == "GZIP" or (compression == "AUTO" and packed[:2] == b"\x1f\x8b")
    return _gunzip(found) if gzipped else found


def _gunzip(found: StoredFile) -> StoredFile:
    """Unpack every member of a gzip file; an error where one is damaged or cut short."""
    content, rest = [], found.content
    try:
        while rest:
            member = zlib.decompressobj(wbits=31)
            content.append(member.decompress(rest))
            if not member.eof:
                raise zlib.error("unexpected end of data")
            rest = member.unused_data
    except zlib.error as error:
        message = (
            f"Invalid data encountered during decompression for file: '{found.key}', "
            f"compression type used: 'GZIP', cause: '{error}'"
        )
        return StoredFile(found.key, found.size, found.etag, found.last_modified, error=message)
    return StoredFile(found.key, found.size, found.etag, found.last_modified, b"".join(content))
