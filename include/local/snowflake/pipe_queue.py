"""Files that pipes have yet to load; they are kept until they are loaded, whatever happens to the process."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from .catalog import CatalogObject, hidden


@dataclass(frozen=True)
class PendingFile:
    """A file that was announced to a pipe and is not loaded yet; ``name`` is relative to the pipe's location."""

    name: str
    key: str
    received_at: datetime


def is_for(pipe: CatalogObject, bucket: str, key: str) -> bool:
    """Whether ``pipe`` loads an object that S3 announced."""
    definition = pipe.definition
    listens: bool = definition["AUTO_INGEST"] and definition["BUCKET"] == bucket
    return listens and key.startswith(definition["PREFIX"]) and matches(pipe, key)


def matches(pipe: CatalogObject, key: str) -> bool:
    """Whether ``key`` matches the PATTERN of the pipe's COPY, if it has one."""
    pattern: str | None = pipe.definition["PATTERN"]
    return pattern is None or re.fullmatch(pattern, key) is not None


def enqueue(duck: duckdb.DuckDBPyConnection, pipe: CatalogObject, keys: list[str], received_at: datetime) -> None:
    """Add files to the pipe's queue."""
    definition = pipe.definition
    rows = [[pipe.uid, key.removeprefix(definition["PREFIX"]), definition["BUCKET"], key, received_at] for key in keys]
    if rows:
        duck.executemany(f"INSERT INTO {hidden(pipe.database, 'pending_files')} VALUES (?, ?, ?, ?, ?)", rows)


def pending(duck: duckdb.DuckDBPyConnection, pipe: CatalogObject, limit: int) -> list[PendingFile]:
    """The files that have waited longest, each once however often it was announced."""
    rows = duck.execute(
        f"SELECT file, key, epoch_us(min(received_at)) FROM {hidden(pipe.database, 'pending_files')}"
        " WHERE pipe_uid = ? GROUP BY file, key ORDER BY 3, 1 LIMIT ?",
        [pipe.uid, limit],
    ).fetchall()
    return [PendingFile(file, key, datetime.fromtimestamp(at / 1e6, UTC)) for file, key, at in rows]


def dequeue(duck: duckdb.DuckDBPyConnection, pipe: CatalogObject, files: list[PendingFile]) -> None:
    """Remove ``files``, in the transaction that loads them."""
    duck.execute(
        f"DELETE FROM {hidden(pipe.database, 'pending_files')} WHERE pipe_uid = ? AND file IN (SELECT unnest(?))",
        [pipe.uid, [file.name for file in files]],
    )


def clear(duck: duckdb.DuckDBPyConnection, pipe: CatalogObject) -> None:
    """Remove all files: the pipe is dropped or replaced."""
    duck.execute(f"DELETE FROM {hidden(pipe.database, 'pending_files')} WHERE pipe_uid = ?", [pipe.uid])
