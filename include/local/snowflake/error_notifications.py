"""Snowpipe's messages about files that it did not load, to the SNS topic of the pipe's ERROR_INTEGRATION."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import duckdb
from botocore.exceptions import BotoCoreError, ClientError

from . import errors, storage
from .catalog import ACCOUNT, Catalog, CatalogObject
from .file_loads import FileLoad
from .logins import ACCOUNT_NAME
from .names import Key
from .reader import Options

log = logging.getLogger(__name__)

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


def publish(
    catalog: Catalog, duck: duckdb.DuckDBPyConnection, pipe: CatalogObject, table: Key, loads: Sequence[FileLoad]
) -> None:
    """Send one message for each file that was not loaded; a failure to send is logged and loads go on."""
    name = pipe.definition.get("ERROR_INTEGRATION")
    failed = [each for each in loads if each.status != "LOADED"]
    if not name or not failed:
        return
    integration = catalog.find(duck, KIND, (*ACCOUNT, name))
    if integration is None or not integration.definition.get("ENABLED", True):
        return
    topic = integration.definition["AWS_SNS_TOPIC_ARN"]
    for each in failed:
        try:
            storage.client("sns").publish(TopicArn=topic, Message=json.dumps(_message(pipe, table, each)))
        except (BotoCoreError, ClientError) as error:
            log.warning("pipe %s: %s could not be told that %s failed: %s", pipe.full_name, topic, each.name, error)


def _message(pipe: CatalogObject, table: Key, load: FileLoad) -> dict[str, Any]:
    """A message in the form of Snowflake's documentation."""
    return {
        "version": "1.0",
        "messageId": str(uuid.uuid4()),
        "messageType": "INGEST_FAILED_FILE",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "accountName": ACCOUNT_NAME,
        "pipeName": pipe.full_name,
        "tableName": ".".join(table),
        "stageLocation": f"s3://{pipe.definition['BUCKET']}/{pipe.definition['PREFIX']}",
        "messages": [{"fileName": load.name, "firstError": load.first.error if load.first else ""}],
    }
