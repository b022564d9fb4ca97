"""Pipes: a COPY kept under a name, run for files that S3 announces (``snowpipe`` does) or that REFRESH finds."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
from sqlglot import exp

from . import copy_plan, errors, storage
from .catalog import CatalogObject
from .fakesnow_adapter import HIDDEN_SCHEMA
from .grammar import Alter, Create, Describe, Drop, Show
from .load_history import HISTORY_DAYS
from .results import Result
from .statements import parse

if TYPE_CHECKING:
    from .session import Session

_OPTIONS = {"AUTO_INGEST", "COMMENT"}
# REFRESH finds files that are at most so old.
REFRESH_DAYS = 7


@dataclass(frozen=True)
class PendingFile:
    """A file that a pipe has been told of and has not loaded yet; ``name`` is relative to the pipe's location."""

    name: str
    key: str
    received_at: datetime


def create(session: Session, statement: Create) -> Result:
    """CREATE PIPE ... AS COPY INTO: with AUTO_INGEST it listens to the account's queue, its notification channel."""
    if unknown := set(statement.options) - _OPTIONS:
        raise errors.unsupported(f"CREATE PIPE ... {sorted(unknown)[0]}")
    key = session.resolve(statement.name)
    if statement.if_not_exists and session.instance.catalog.find(session.duck, "PIPE", key):
        return Result.status(f"{statement.name.last} already exists, statement succeeded.")
    expression = parse_copy(statement.body)
    plan = copy_plan.plan_copy(session, expression)
    if plan.files is not None or plan.force:
        raise errors.compilation_error("FILES and FORCE are not allowed in the COPY of a pipe.")
    if "ON_ERROR" in copy_plan.options(expression) and plan.on_error == "ABORT_STATEMENT":
        raise errors.compilation_error("ON_ERROR = ABORT_STATEMENT is not allowed in the COPY of a pipe.")
    if plan.target.table[0] != key[0]:
        raise errors.unsupported("a pipe in another database than its table")
    auto_ingest = bool(statement.options.get("AUTO_INGEST", False))
    definition = {
        "COPY": statement.body,
        "AUTO_INGEST": auto_ingest,
        "BUCKET": plan.location.bucket,
        "PREFIX": plan.location.prefix,
        "PATTERN": plan.pattern,
        # Names in the COPY are those of the session that created the pipe.
        "CONTEXT": [session.database or key[0], session.schema or key[1]],
        "PAUSED": False,
        "CHANNEL": session.instance.snowpipe.channel() if auto_ingest else None,
        "COMMENT": statement.options.get("COMMENT", ""),
    }
    with session.atomic():
        if before := session.instance.catalog.find(session.duck, "PIPE", key):
            _forget_pending(session.duck, before)
        session.instance.catalog.create(session.duck, statement, key, definition)
    return Result.status(f"Pipe {statement.name.last} successfully created.")


def alter(session: Session, statement: Alter) -> Result:
    """ALTER PIPE ... SET PIPE_EXECUTION_PAUSED | COMMENT, or REFRESH [PREFIX] [MODIFIED_AFTER]."""
    found = session.instance.catalog.find(session.duck, "PIPE", session.resolve(statement.name))
    if found is None:
        if statement.if_exists:
            return Result.status("Statement executed successfully.")
        raise errors.does_not_exist("Pipe", str(statement.name))
    if statement.action == "REFRESH":
        return _refresh(session, found, statement.options)
    if statement.action != "SET" or (unknown := set(statement.options) - {"PIPE_EXECUTION_PAUSED", "COMMENT"}):
        raise errors.unsupported(f"ALTER PIPE ... {statement.action} {', '.join(sorted(unknown))}".rstrip())
    changes: dict[str, Any] = {}
    if "PIPE_EXECUTION_PAUSED" in statement.options:
        changes["PAUSED"] = bool(statement.options["PIPE_EXECUTION_PAUSED"])
    if "COMMENT" in statement.options:
        changes["COMMENT"] = statement.options["COMMENT"]
    session.instance.catalog.alter(session.duck, found, changes)
    session.instance.snowpipe.wake()
    return Result.status("Statement executed successfully.")


def drop(session: Session, statement: Drop) -> Result:
    key = session.resolve(statement.name)
    found = session.instance.catalog.find(session.duck, "PIPE", key)
    if found is None:
        if statement.if_exists:
            return Result.status("Drop statement executed successfully.")
        raise errors.does_not_exist("Pipe", str(statement.name))
    with session.atomic():
        _forget_pending(session.duck, found)
        session.instance.catalog.drop(session.duck, "PIPE", key)
    return Result.status(f"{statement.name.last} successfully dropped.")


def show(session: Session, statement: Show) -> Result:
    return _describe(session.instance.catalog.show(session, statement))


def describe(session: Session, statement: Describe) -> Result:
    return _describe([session.instance.catalog.get(session.duck, "PIPE", session.resolve(statement.name))])


def status(session: Session, name: str) -> str:
    """SYSTEM$PIPE_STATUS: a JSON object with Snowflake's keys."""
    found = session.instance.catalog.get(session.duck, "PIPE", session.resolve_text(name))
    snowpipe = session.instance.snowpipe
    (waiting, oldest) = session.duck.execute(
        f'SELECT count(*), epoch_us(min(received_at)) FROM "{found.database}".{HIDDEN_SCHEMA}.pending_files'
        " WHERE pipe_uid = ?",
        [found.uid],
    ).fetchone()
    last = session.duck.execute(
        f'SELECT file_name, epoch_us(last_load_time) FROM "{found.database}".{HIDDEN_SCHEMA}.load_history'
        " WHERE pipe_uid = ? AND status <> 'Load failed' ORDER BY last_load_time DESC, file_name DESC LIMIT 1",
        [found.uid],
    ).fetchone()
    fault = snowpipe.faults.get(found.uid)
    state = "PAUSED" if found.definition["PAUSED"] else "STALLED_EXECUTION_ERROR" if fault else "RUNNING"
    answer: dict[str, Any] = {"executionState": state, "pendingFileCount": waiting}
    if oldest is not None:
        answer["oldestPendingFileTimestamp"] = _iso(oldest)
    if last:
        answer |= {"lastIngestedFilePath": last[0], "lastIngestedTimestamp": _iso(last[1])}
    if found.definition["AUTO_INGEST"]:
        answer["notificationChannelName"] = found.definition["CHANNEL"]
        answer["numOutstandingMessagesOnChannel"] = snowpipe.outstanding_messages()
        if snowpipe.last_message_at:
            answer["lastReceivedMessageTimestamp"] = snowpipe.last_message_at.isoformat()
    if fault:
        answer["error"] = fault
    return json.dumps(answer)


def parse_copy(text: str) -> exp.Copy:
    """The COPY of a pipe.

    Raises:
        SnowflakeError: it is not one.
    """
    expression = parse(text)
    if not isinstance(expression, exp.Copy):
        raise errors.compilation_error("the body of a pipe must be COPY INTO a table.")
    return expression.copy()


def announced(duck: duckdb.DuckDBPyConnection, found: CatalogObject, bucket: str, key: str) -> bool:
    """Whether an object that S3 announced is for this pipe."""
    definition = found.definition
    return (
        definition["AUTO_INGEST"]
        and definition["BUCKET"] == bucket
        and key.startswith(definition["PREFIX"])
        and (definition["PATTERN"] is None or re.fullmatch(definition["PATTERN"], key) is not None)
    )


def enqueue(duck: duckdb.DuckDBPyConnection, found: CatalogObject, keys: list[str], received_at: datetime) -> None:
    """Remember files for the pipe; they stay until they are loaded, whatever happens to the process."""
    rows = [
        [found.uid, key.removeprefix(found.definition["PREFIX"]), found.definition["BUCKET"], key, received_at]
        for key in keys
    ]
    if rows:
        duck.executemany(f'INSERT INTO "{found.database}".{HIDDEN_SCHEMA}.pending_files VALUES (?, ?, ?, ?, ?)', rows)


def pending(duck: duckdb.DuckDBPyConnection, found: CatalogObject, limit: int) -> list[PendingFile]:
    """The oldest files waiting for the pipe, each once however often it was announced."""
    rows = duck.execute(
        "SELECT file, key, epoch_us(min(received_at)) "
        f'FROM "{found.database}".{HIDDEN_SCHEMA}.pending_files WHERE pipe_uid = ? GROUP BY file, key'
        " ORDER BY 3, 1 LIMIT ?",
        [found.uid, limit],
    ).fetchall()
    return [PendingFile(file, key, datetime.fromtimestamp(at / 1e6, UTC)) for file, key, at in rows]


def loaded(duck: duckdb.DuckDBPyConnection, found: CatalogObject, files: list[PendingFile]) -> set[str]:
    """The names among ``files`` that this pipe has loaded in the last 14 days; a file that failed may come again."""
    rows = duck.execute(
        f'SELECT DISTINCT file_name FROM "{found.database}".{HIDDEN_SCHEMA}.load_history'
        " WHERE pipe_uid = ? AND status <> 'Load failed' AND last_load_time > ? AND file_name IN (SELECT unnest(?))",
        [found.uid, datetime.now(UTC) - timedelta(days=HISTORY_DAYS), [file.name for file in files]],
    ).fetchall()
    return {name for (name,) in rows}


def dequeue(duck: duckdb.DuckDBPyConnection, found: CatalogObject, files: list[PendingFile]) -> None:
    """Forget ``files``; belongs into the transaction that loads them."""
    duck.execute(
        f'DELETE FROM "{found.database}".{HIDDEN_SCHEMA}.pending_files'
        " WHERE pipe_uid = ? AND file IN (SELECT unnest(?))",
        [found.uid, [file.name for file in files]],
    )


def _refresh(session: Session, found: CatalogObject, options: dict[str, Any]) -> Result:
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
    now = datetime.now(UTC)
    files = [
        PendingFile(each.key.removeprefix(definition["PREFIX"]), each.key, now)
        for each in storage.list_objects(definition["BUCKET"], prefix)
        if each.last_modified >= earliest
        and (definition["PATTERN"] is None or re.fullmatch(definition["PATTERN"], each.key))
    ]
    done = loaded(session.duck, found, files)
    sent = [file for file in files if file.name not in done]
    with session.atomic():
        enqueue(session.duck, found, [file.key for file in sent], now)
    session.instance.snowpipe.wake()
    return Result.of(["File", "Status"], [(file.name, "SENT") for file in sent])


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise errors.compilation_error(f"Timestamp '{text}' is not recognized", 100035, "22007") from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _forget_pending(duck: duckdb.DuckDBPyConnection, found: CatalogObject) -> None:
    duck.execute(f'DELETE FROM "{found.database}".{HIDDEN_SCHEMA}.pending_files WHERE pipe_uid = ?', [found.uid])


def _describe(found: list[CatalogObject]) -> Result:
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
            "SYSADMIN",
            each.definition["CHANNEL"],
            each.definition["COMMENT"],
            None,
            each.definition["PATTERN"],
            None,
            "ROLE",
            None,
            "STAGE",
        )
        for each in found
    ]
    return Result.of(columns, rows)


def _iso(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds / 1e6, UTC).isoformat().replace("+00:00", "Z")
