"""The envelopes of one stream and hour in a SQLite file: sets are compared on disk, so memory does not grow."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from include.ledger.balance import SAMPLES_KEPT

# Values of held.place.
QUARANTINE, RESOLVED = "quarantine", "resolved"

# The columns of an envelope: shard, sequence number and sub-sequence number.
ENVELOPE = "shard, seq, sub"
# As samples show them: the shard, and the text of Envelope.number.
NUMBER = "seq || CASE WHEN sub > 0 THEN '.' || sub ELSE '' END"
NAMED = f"shard, {NUMBER}"
# Sequence numbers are whole numbers of any length, written without leading zeros: the longer one is larger.
IN_ORDER = "ORDER BY shard, length(seq), seq, sub"

# Joins ``quarantined`` and ``resolved``, the objects of a record of ``archived``; NULL where there is none.
HELD_OF_ARCHIVED = f"""
    LEFT JOIN held AS quarantined
        ON (quarantined.shard, quarantined.seq, quarantined.sub, quarantined.place)
        = (archived.shard, archived.seq, archived.sub, '{QUARANTINE}')
    LEFT JOIN held AS resolved
        ON (resolved.shard, resolved.seq, resolved.sub, resolved.place)
        = (archived.shard, archived.seq, archived.sub, '{RESOLVED}')
"""

# held: objects of quarantine/ and quarantine-resolved/.  A database uses clicks or readings, as its stream has them.
TABLES = f"""
    CREATE TABLE archived (
        shard TEXT, seq TEXT, sub INTEGER, valid INTEGER, click TEXT, content BLOB, PRIMARY KEY ({ENVELOPE})
    ) WITHOUT ROWID;
    CREATE TABLE held (
        shard TEXT, seq TEXT, sub INTEGER, place TEXT, key TEXT, PRIMARY KEY ({ENVELOPE}, place)
    ) WITHOUT ROWID;
    CREATE TABLE clicks (click TEXT PRIMARY KEY, content BLOB, arrival TEXT) WITHOUT ROWID;
    CREATE TABLE readings (
        shard TEXT, seq TEXT, sub INTEGER, state TEXT, loaded TEXT, what TEXT, PRIMARY KEY ({ENVELOPE})
    ) WITHOUT ROWID;
"""


# KiB of pages that SQLite keeps in memory, of the file and of the temporary tables each.
CACHE_KIB = 32 * 1024


class HourDatabase:
    """One file.  A row that is added twice is there once."""

    def __init__(self, path: Path) -> None:
        """Args:
        path: a file that does not exist yet.
        """
        self._path = path
        self._database = sqlite3.connect(path, isolation_level=None)
        # Nothing here must survive a crash: it is counted again from the stores.
        self._database.executescript(
            f"PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF; PRAGMA cache_size = -{CACHE_KIB}; "
            f"PRAGMA temp.cache_size = -{CACHE_KIB}; {TABLES}"
        )

    def add(self, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Add rows to a table, in the order of its columns; a row whose key is there is skipped.

        They are sorted first: in the order of the stores each row of a large hour would be on another page of the file.
        """
        columns = self._database.execute(f"SELECT name, pk FROM pragma_table_info('{table}') ORDER BY cid").fetchall()
        key = ", ".join(name for name, place in sorted(columns, key=lambda column: column[1]) if place)
        marks = ", ".join("?" * len(columns))
        self._database.execute("BEGIN")
        self._database.execute(f"CREATE TEMP TABLE added AS SELECT * FROM {table} LIMIT 0")
        self._database.executemany(f"INSERT INTO temp.added VALUES ({marks})", rows)
        self._database.execute(
            f"INSERT OR IGNORE INTO {table} SELECT * FROM temp.added ORDER BY {key}, temp.added.rowid"
        )
        self._database.execute("DROP TABLE temp.added")
        self._database.execute("COMMIT")

    def execute(self, statement: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        return self._database.execute(statement, values)

    def count(self, query: str, *values: Any) -> int:
        """The number of rows of ``query``."""
        (rows,) = self._database.execute(f"SELECT count(*) FROM ({query})", values).fetchone()
        return int(rows)

    def samples(self, query: str, *values: Any) -> list[str]:
        """The first rows of ``query``, at most SAMPLES_KEPT, each as one text."""
        rows = self._database.execute(f"{query} LIMIT {SAMPLES_KEPT}", values)
        return [" ".join(str(value) for value in row if value is not None) for row in rows]

    def close(self) -> None:
        """Remove the file."""
        self._database.close()
        self._path.unlink()
