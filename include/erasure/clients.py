"""The AWS clients of an erasure, with bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import boto3
from botocore.config import Config

# Objects in flight at once; each may take SPOOLED_BYTES of memory twice, more of it goes to disk.
S3_WORKERS = 16

# Archive objects have up to 64 MB.  Standard mode waits with backoff and jitter after throttling, 5xx, timeouts.
S3_CONFIG = Config(
    connect_timeout=3,
    read_timeout=60,
    retries={"mode": "standard", "total_max_attempts": 5},
    max_pool_connections=S3_WORKERS,
)
DYNAMODB_CONFIG = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 5})


class Clients(NamedTuple):
    """Both are thread-safe."""

    s3: Any
    dynamodb: Any


def make_clients(client: Callable[..., Any] = boto3.client) -> Clients:
    """Clients made by ``client(service, config=…)``; boto3's own reads the standard AWS_* environment."""
    return Clients(client("s3", config=S3_CONFIG), client("dynamodb", config=DYNAMODB_CONFIG))
