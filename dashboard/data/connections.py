"""The connections to all stores, opened before a page needs them."""

from __future__ import annotations

from collections.abc import Callable

from dashboard.data import dynamodb, s3, snowflake_connection
from dashboard.data.stores import StoreUnavailableError


def connect() -> list[StoreUnavailableError]:
    """Open a connection to each store, and return the failures.

    DynamoDB and S3 are each asked for something small.  Snowflake gets no statement: it would start the warehouse.
    """
    opening: tuple[Callable[[], object], ...] = (dynamodb.items, s3.newest_landing, snowflake_connection.connect)
    failures = []
    for opened in opening:
        try:
            opened()
        except StoreUnavailableError as error:
            failures.append(error)
    return failures
