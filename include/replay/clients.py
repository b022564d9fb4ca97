"""The AWS clients of a replay, with bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import boto3
from botocore.config import Config

# Objects in flight at once.
S3_WORKERS = 16

S3_CONFIG = Config(
    connect_timeout=3,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 5},
    max_pool_connections=S3_WORKERS,
)
# The functions' own timeout is 60 s.  Standard mode waits with backoff and jitter after throttling, 5xx, timeouts.
LAMBDA_CONFIG = Config(
    connect_timeout=3,
    read_timeout=70,
    retries={"mode": "standard", "total_max_attempts": 4},
    max_pool_connections=S3_WORKERS,
)


class Clients(NamedTuple):
    """Both are thread-safe."""

    s3: Any
    lambda_: Any


def make_clients(client: Callable[..., Any] = boto3.client) -> Clients:
    """Clients made by ``client(service, config=…)``; boto3's own reads the standard AWS_* environment."""
    return Clients(client("s3", config=S3_CONFIG), client("lambda", config=LAMBDA_CONFIG))
