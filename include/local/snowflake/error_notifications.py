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

from . import storage
from .catalog import ACCOUNT, Catalog, CatalogObject
from .file_loads import FileLoad
from .logins import ACCOUNT_NAME
from .names import Key
from .notification_integrations import KIND

log = logging.getLogger(__name__)


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
