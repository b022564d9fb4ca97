"""Archived records in order of shard and sequence number, each once, on disk while they don't fit into memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from include.contracts.archive import ArchivedRecord, decode_line, encode_line

INSERT_BATCH = 5_000


class SortedRecords:
    """A file of records.  Filled by one thread; afterwards each shard can be read by a thread of its own."""

    def __init__(self, path: Path) -> None:
        """Args:
        path: a file that does not exist yet.
        """
        self._path = path
        with closing(self._connect()) as database, database:
            # Nothing here must survive: the archive is the truth.
            database.execute("PRAGMA synchronous = OFF")
            # Sequence numbers are whole numbers of any length: the longer is the larger.
            database.execute(
                "CREATE TABLE records (shard_id TEXT, length INTEGER, sequence_number TEXT, line BLOB, "
                "PRIMARY KEY (shard_id, length, sequence_number)) WITHOUT ROWID"
            )

    def add(self, records: Iterable[ArchivedRecord]) -> tuple[int, int]:
        """Keep these, and return how many there were and how many were new."""
        rows = (
            (record.shard_id, len(record.sequence_number), record.sequence_number, encode_line(record))
            for record in records
        )
        count = 0

        def counted() -> Iterator[tuple[str, int, str, bytes]]:
            nonlocal count
            for row in rows:
                count += 1
                yield row

        with closing(self._connect()) as database, database:
            database.execute("PRAGMA synchronous = OFF")
            done = database.executemany("INSERT OR IGNORE INTO records VALUES (?, ?, ?, ?)", counted())
            return count, done.rowcount

    def shards(self) -> list[str]:
        """Every shard with records."""
        with closing(self._connect()) as database:
            return [row[0] for row in database.execute("SELECT DISTINCT shard_id FROM records ORDER BY shard_id")]

    def batches(self, shard_id: str, max_records: int, max_bytes: int) -> Iterator[list[ArchivedRecord]]:
        """A shard's records in order, at most ``max_records`` and ``max_bytes`` of payload (in base64) at a time."""
        batch: list[ArchivedRecord] = []
        size = 0
        with closing(self._connect()) as database:
            rows = database.execute(
                "SELECT line FROM records WHERE shard_id = ? ORDER BY length, sequence_number", (shard_id,)
            )
            for record in (decode_line(line) for (line,) in rows):
                if batch and (len(batch) == max_records or size + len(record.payload_base64) > max_bytes):
                    yield batch
                    batch, size = [], 0
                batch.append(record)
                size += len(record.payload_base64)
        if batch:
            yield batch

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=60)
