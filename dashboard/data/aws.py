"""AWS clients with short timeouts, and AWS errors in the words of the dashboard."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import streamlit as st
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from dashboard.data.settings import store_timeout
from dashboard.data.stores import StoreUnavailableError

# Threads that send requests in parallel.
WORKERS = 8


# boto3 builds its clients at run time, so their type is Any.
@st.cache_resource(show_spinner=False)
def client(service: str) -> Any:
    """Return the boto3 client of ``service``, shared by all sessions.

    Raises:
        StoreUnavailableError: no region is set.
    """
    session = boto3.Session()
    if not session.region_name:
        raise StoreUnavailableError(
            "AWS", "is not configured: no region is set", "Set AWS_DEFAULT_REGION in the dashboard's environment."
        )
    timeout = store_timeout(os.environ)
    config = Config(
        connect_timeout=min(timeout, 2),
        read_timeout=timeout,
        retries={"total_max_attempts": 3, "mode": "standard"},  # Exponential backoff with jitter.
        max_pool_connections=2 * WORKERS,
    )
    return session.client(service, config=config)


@contextmanager
def errors_of(store: str) -> Iterator[None]:
    """Turn an error from boto3 into a :class:`StoreUnavailableError` that names ``store`` and the next step."""
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in {"ResourceNotFoundException", "NoSuchBucket", "404"}:
            raise StoreUnavailableError(
                store, "does not exist yet", "Run the DAG provision_resources, then come back."
            ) from error
        raise StoreUnavailableError(
            store,
            "refused the request",
            "Check the dashboard's AWS credentials and the permissions of its role.",
            code,
        ) from error
    except BotoCoreError as error:
        raise StoreUnavailableError(
            store,
            "is unreachable",
            "Check that it is running, and check AWS_ENDPOINT_URL, the region and the credentials.",
            str(error),
        ) from error
