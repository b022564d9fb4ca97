"""Pipes: named COPY statements, which ``snowpipe`` runs for files that S3 announces or that REFRESH finds."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlglot import exp

from . import copy_plan, engine, errors, load_history, notification_integrations, pipe_queue, storage
from .catalog import CatalogObject, hidden
from .context import Context
from .grammar import Alter, Create, Describe, Drop, Show
from .privileges import Securable
from .reader import Options
from .results import Result
from .statements import parse

_OPTIONS = {"AUTO_INGEST", "COMMENT", "ERROR_INTEGRATION"}
# REFRESH finds files that are at most this old.
REFRESH_DAYS = 7


def create(context: Context, statement: Create) -> Result:
    """CREATE PIPE ... AS COPY INTO; with AUTO_INGEST its notification channel is the account's queue."""
    if unknown := set(statement.options) - _OPTIONS:
        raise errors.unsupported(f"CREATE PIPE ... {sorted(unknown)[0]}")
    key = context.resolve(statement.name)
    if statement.if_not_exists and context.catalog.find(context.duck, "PIPE", key):
        return Result.status(f"{statement.name.last} already exists, statement succeeded.")
    expression = parse_copy(statement.body or "")
    plan = copy_plan.plan_copy(context, expression)
    if plan.files is not None or plan.force:
        raise errors.compilation_error("FILES and FORCE are not allowed in the COPY of a pipe.")
    if "ON_ERROR" in copy_plan.options(expression) and plan.on_error == "ABORT_STATEMENT":
        raise errors.compilation_error("ON_ERROR = ABORT_STATEMENT is not allowed in the COPY of a pipe.")
    if plan.target.table[0] != key[0]:
        raise errors.unsupported("a pipe whose table is in another database")
    auto_ingest = bool(statement.options.get("AUTO_INGEST", False))
    error_integration = statement.options.get("ERROR_INTEGRATION")
    if error_integration is not None:
        _check_errors_are_sent(copy_plan.options(expression), plan.on_error)
        error_integration = notification_integrations.check_used(context.catalog, context.duck, error_integration)
    definition = {
        "COPY": statement.body,
        "ERROR_INTEGRATION": error_integration,
        "AUTO_INGEST": auto_ingest,
        "BUCKET": plan.location.bucket,
        "PREFIX": plan.location.prefix,
        "PATTERN": plan.pattern,
        # Names in the COPY are resolved as in the session that created the pipe.
        "CONTEXT": [context.database or key[0], context.schema or key[1]],
        "PAUSED": False,
        "CHANNEL": context.instance.ingestion.channel() if auto_ingest else None,
        "COMMENT": statement.options.get("COMMENT", ""),
    }
    with context.atomic():
        if before := context.catalog.find(context.duck, "PIPE", key):
            _forget_files(context, before)
        context.catalog.create(context.duck, statement, key, definition)
    return Result.status(f"Pipe {statement.name.last} successfully created.")


def alter(context: Context, statement: Alter) -> Result:
    """ALTER PIPE ... SET PIPE_EXECUTION_PAUSED | COMMENT | ERROR_INTEGRATION, or REFRESH [PREFIX] [MODIFIED_AFTER]."""
    found = context.catalog.find(context.duck, "PIPE", context.resolve(statement.name))
    if found is None:
        if statement.if_exists:
            return Result.status("Statement executed successfully.")
        raise errors.does_not_exist("Pipe", str(statement.name))
    if statement.action == "REFRESH":
        return _refresh(context, found, statement.options)
    if statement.action == "UNSET" and set(statement.options) == {"ERROR_INTEGRATION"}:
        context.catalog.alter(context.duck, found, {"ERROR_INTEGRATION": None})
        return Result.status("Statement executed successfully.")
    settable = {"PIPE_EXECUTION_PAUSED", "COMMENT", "ERROR_INTEGRATION"}
    if statement.action != "SET" or (unknown := set(statement.options) - settable):
        raise errors.unsupported(f"ALTER PIPE ... {statement.action} {', '.join(sorted(unknown))}".rstrip())
    changes: dict[str, Any] = {}
    if "PIPE_EXECUTION_PAUSED" in statement.options:
        changes["PAUSED"] = bool(statement.options["PIPE_EXECUTION_PAUSED"])
    if "COMMENT" in statement.options:
        changes["COMMENT"] = statement.options["COMMENT"]
    if "ERROR_INTEGRATION" in statement.options:
        copy = parse_copy(found.definition["COPY"])
        _check_errors_are_sent(copy_plan.options(copy), copy_plan.plan_copy(context, copy).on_error)
        name = statement.options["ERROR_INTEGRATION"]
        changes["ERROR_INTEGRATION"] = notification_integrations.check_used(context.catalog, context.duck, name)
    context.catalog.alter(context.duck, found, changes)
    context.instance.ingestion.wake()
    return Result.status("Statement executed successfully.")


def drop(context: Context, statement: Drop) -> Result:
    key = context.resolve(statement.name)
    found = context.catalog.find(context.duck, "PIPE", key)
    if found is None:
        if statement.if_exists:
            return Result.status("Drop statement executed successfully.")
        raise errors.does_not_exist("Pipe", str(statement.name))
    with context.atomic():
        _forget_files(context, found)
        context.catalog.drop(context.duck, "PIPE", key)
    return Result.status(f"{statement.name.last} successfully dropped.")


def show(context: Context, statement: Show) -> Result:
    return _describe(context, context.shown(statement))


def describe(context: Context, statement: Describe) -> Result:
    return _describe(context, [context.catalog.get(context.duck, "PIPE", context.resolve(statement.name))])


def status(context: Context, name: str) -> str:
    """Answer SYSTEM$PIPE_STATUS: a JSON object with Snowflake's keys."""
    found = context.catalog.get(context.duck, "PIPE", context.resolve_text(name))
    ingestion = context.instance.ingestion
    waiting, oldest = engine.row(
        context.duck,
        f"SELECT count(*), epoch_us(min(received_at)) FROM {hidden(found.database, 'pending_files')}"
        " WHERE pipe_uid = ?",
        [found.uid],
    )
    fault = ingestion.faults.get(found.uid)
    state = "PAUSED" if found.definition["PAUSED"] else "STALLED_EXECUTION_ERROR" if fault else "RUNNING"
    answer: dict[str, Any] = {"executionState": state, "pendingFileCount": waiting}
    if oldest is not None:
        answer["oldestFileTimestamp"] = _iso(datetime.fromtimestamp(oldest / 1e6, UTC))
    if last := load_history.last_loaded_by(context.duck, found):
        answer |= {"lastIngestedFilePath": last[0], "lastIngestedTimestamp": _iso(last[1])}
    if found.definition["AUTO_INGEST"]:
        answer["notificationChannelName"] = found.definition["CHANNEL"]
        answer["numOutstandingMessagesOnChannel"] = ingestion.queue.outstanding_messages()
        if ingestion.queue.last_message_at:
            answer["lastReceivedMessageTimestamp"] = ingestion.queue.last_message_at.isoformat()
        if forwarded := ingestion.forwarded.get(found.uid):
            file, at = forwarded
            answer |= {"lastForwardedFilePath": file, "lastForwardedMessageTimestamp": _iso(at)}
    if fault:
        answer["error"] = fault
    return json.dumps(answer)


def force_resume(context: Context, name: str) -> str:
    """Answer SYSTEM$PIPE_FORCE_RESUME: the status of the pipe, which is not paused any more."""
    found = context.catalog.get(context.duck, "PIPE", context.resolve_text(name))
    context.catalog.alter(context.duck, found, {"PAUSED": False})
    context.instance.ingestion.wake()
    return status(context, name)


def parse_copy(text: str) -> exp.Copy:
    """Parse the body of a pipe.

    Raises:
        SnowflakeError: it is not a COPY.
    """
    expression = parse(text)
    if not isinstance(expression, exp.Copy):
        raise errors.compilation_error("the body of a pipe must be COPY INTO a table.")
    return expression.copy()


def _forget_files(context: Context, gone: CatalogObject) -> None:
    """A pipe is dropped or replaced: forget the files that were announced to it."""
    pipe_queue.clear(context.duck, gone)
    context.instance.ingestion.forwarded.pop(gone.uid, None)


def _check_errors_are_sent(stated: dict[str, Any], on_error: str) -> None:
    """Refuse an ERROR_INTEGRATION that would get no message: they come of files that are skipped as a whole."""
    if "ON_ERROR" in stated and on_error != "SKIP_FILE":
        raise errors.unsupported("ERROR_INTEGRATION of a pipe with ON_ERROR other than SKIP_FILE")


def _refresh(context: Context, found: CatalogObject, options: Options) -> Result:
    if unknown := set(options) - {"PREFIX", "MODIFIED_AFTER"}:
        raise errors.unsupported(f"ALTER PIPE ... REFRESH {sorted(unknown)[0]}")
    earliest = datetime.now(UTC) - timedelta(days=REFRESH_DAYS)
    if "MODIFIED_AFTER" in options:
        after = _time(options["MODIFIED_AFTER"])
        if after < earliest:
            raise errors.compilation_error(f"MODIFIED_AFTER must be within {REFRESH_DAYS} days.", 1008, "22023")
        earliest = after
    definition = found.definition
    prefix = definition["PREFIX"] + options.get("PREFIX", "").removeprefix("/")
    names = {
        each.key.removeprefix(definition["PREFIX"]): each.key
        for each in storage.list_objects(definition["BUCKET"], prefix)
        if each.last_modified >= earliest and pipe_queue.matches(found, each.key)
    }
    loaded = load_history.loaded_by(context.duck, found, list(names))
    sent = {name: key for name, key in names.items() if name not in loaded}
    with context.atomic():
        pipe_queue.enqueue(context.duck, found, list(sent.values()), datetime.now(UTC))
    context.instance.ingestion.wake()
    return Result.of(["File", "Status"], [(name, "SENT") for name in sent])


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise errors.compilation_error(f"Timestamp '{text}' is not recognized", 100035, "22007") from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _describe(context: Context, found: list[CatalogObject]) -> Result:
    columns = [
        "created_on",
        "name",
        "database_name",
        "schema_name",
        "definition",
        "owner",
        "notification_channel",
        "comment",
        "integration",
        "pattern",
        "error_integration",
        "owner_role_type",
        "invalid_reason",
        "kind",
    ]
    rows = [
        (
            each.created_on,
            each.name,
            each.database,
            each.schema,
            each.definition["COPY"],
            context.grants.owner(Securable("PIPE", (each.database, each.schema, each.name))),
            each.definition["CHANNEL"],
            each.definition["COMMENT"],
            None,
            each.definition["PATTERN"],
            each.definition.get("ERROR_INTEGRATION"),
            "ROLE",
            None,
            "STAGE",
        )
        for each in found
    ]
    return Result.of(columns, rows)


def _iso(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
