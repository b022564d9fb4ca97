"""The envelopes of one stream and hour in a SQLite file: sets are compared on disk, memory does not grow with them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from include.ledger.balance import SAMPLES_KEPT

QUARANTINE, RESOLVED = "quarantine", "resolved"

# Sequence numbers are whole numbers of any length, written without zeros in front: the longer is the larger.
IN_ORDER = "ORDER BY shard, length(seq), seq"

# held: objects of quarantine/ and quarantine-resolved/.  The other tables are of one kind of stream each.
TABLES = """
    CREATE TABLE archived (
        shard TEXT, seq TEXT, valid INTEGER, click TEXT, content BLOB, PRIMARY KEY (shard, seq)
    ) WITHOUT ROWID;
    CREATE TABLE held (
        shard TEXT, seq TEXT, place TEXT, key TEXT, PRIMARY KEY (shard, seq, place)
    ) WITHOUT ROWID;
    CREATE TABLE clicks (click TEXT PRIMARY KEY, content BLOB, arrival TEXT) WITHOUT ROWID;
    CREATE TABLE readings (
        shard TEXT, seq TEXT, state TEXT, loaded TEXT, what TEXT, PRIMARY KEY (shard, seq)
    ) WITHOUT ROWID;
"""


class Books:
    """One file; what is written twice is there once."""

    def __init__(self, path: Path) -> None:
        """Args:
        path: a file that does not exist yet.
        """
        self._path = path
        self._database = sqlite3.connect(path, isolation_level=None)
        # Nothing here must survive: it is counted again from the stores.
        self._database.executescript(f"PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF; {TABLES}")

    def add(self, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Rows of a table of TABLES, in the order of its columns; one whose key is there is left out."""
        width = len(self._database.execute(f"SELECT * FROM {table} LIMIT 0").description)
        marks = ", ".join("?" * width)
        self._database.execute("BEGIN")
        self._database.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", rows)
        self._database.execute("COMMIT")

    def execute(self, statement: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        return self._database.execute(statement, values)

    def count(self, query: str, *values: Any) -> int:
        """How many rows ``query`` has."""
        return self._database.execute(f"SELECT count(*) FROM ({query})", values).fetchone()[0]

    def samples(self, query: str, *values: Any) -> list[str]:
        """Its first rows, SAMPLES_KEPT at most, each as words."""
        rows = self._database.execute(f"{query} LIMIT {SAMPLES_KEPT}", values)
        return [" ".join(str(value) for value in row if value is not None) for row in rows]

    def close(self) -> None:
        """Removes the file."""
        self._database.close()
        self._path.unlink()
