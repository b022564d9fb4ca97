"""Archived records sorted by shard and sequence number, each once, on disk because they may not fit into memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from include.contracts.archive import ArchivedRecord, decode_line, encode_line


class SortedRecords:
    """A file of records.  One thread fills it; then several threads can read it, each its own shard."""

    def __init__(self, path: Path) -> None:
        """Args:
        path: a file that does not exist yet.
        """
        self._path = path
        with closing(self._connect()) as database, database:
            # Nothing here must survive a crash: the archive has it all.
            database.execute("PRAGMA synchronous = OFF")
            # Sequence numbers are whole numbers of any length: the longer one is larger.
            database.execute(
                "CREATE TABLE records "
                "(shard_id TEXT, length INTEGER, sequence_number TEXT, sub_sequence_number INTEGER, line BLOB, "
                "PRIMARY KEY (shard_id, length, sequence_number, sub_sequence_number)) WITHOUT ROWID"
            )

    def add(self, records: Iterable[ArchivedRecord]) -> tuple[int, int]:
        """Add the records; return how many there were, and how many of them were new."""
        count = 0

        def rows() -> Iterator[tuple[str, int, str, int, bytes]]:
            nonlocal count
            for record in records:
                count += 1
                number = record.sequence_number
                yield record.shard_id, len(number), number, record.sub_sequence_number, encode_line(record)

        with closing(self._connect()) as database, database:
            database.execute("PRAGMA synchronous = OFF")
            inserted = database.executemany("INSERT OR IGNORE INTO records VALUES (?, ?, ?, ?, ?)", rows())
            return count, inserted.rowcount

    def shards(self) -> list[str]:
        """The shards that have records."""
        with closing(self._connect()) as database:
            return [row[0] for row in database.execute("SELECT DISTINCT shard_id FROM records ORDER BY shard_id")]

    def of_shard(self, shard_id: str) -> Iterator[ArchivedRecord]:
        """A shard's records in order."""
        with closing(self._connect()) as database:
            rows = database.execute(
                "SELECT line FROM records WHERE shard_id = ? ORDER BY length, sequence_number, sub_sequence_number",
                (shard_id,),
            )
            for (line,) in rows:
                yield decode_line(line)

    def delete(self) -> None:
        """Delete the file."""
        self._path.unlink()

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=60)
