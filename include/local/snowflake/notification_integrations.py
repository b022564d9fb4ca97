"""Notification integrations: how a pipe reaches the SNS topic for its errors."""

from __future__ import annotations

from typing import Any

import duckdb

from . import errors
from .catalog import ACCOUNT, Catalog
from .reader import Options

KIND = "NOTIFICATION INTEGRATION"
_REQUIRED = {"TYPE": "QUEUE", "DIRECTION": "OUTBOUND", "NOTIFICATION_PROVIDER": "AWS_SNS"}
_TEXTS = ("AWS_SNS_TOPIC_ARN", "AWS_SNS_ROLE_ARN")


def check_integration(options: Options) -> None:
    """Refuse a notification integration that is not one for the errors of Snowpipe on AWS.

    Raises:
        SnowflakeError: another type, provider or option, or no topic or role.
    """
    for name, only in _REQUIRED.items():
        if str(options.get(name, "")).upper() != only:
            raise errors.unsupported(f"a notification integration without {name} = {only}")
    if unknown := set(options) - {*_REQUIRED, *_TEXTS, "ENABLED", "COMMENT"}:
        raise errors.unsupported(f"{sorted(unknown)[0]} of a notification integration")
    if missing := [name for name in _TEXTS if not options.get(name)]:
        raise errors.compilation_error(f"Missing option(s): {', '.join(missing)}.")


def check_used(catalog: Catalog, duck: duckdb.DuckDBPyConnection, name: Any) -> str:
    """The name of the integration that a pipe gets.

    Raises:
        SnowflakeError: it is no notification integration.
    """
    return catalog.get(duck, KIND, (*ACCOUNT, str(name).upper())).name
