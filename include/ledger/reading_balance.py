"""The balance of an hour of readings: the archive compared with RAW, landing zone, quarantine and history."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from include import names
from include.contracts.archive import ArchivedRecord
from include.contracts.times import to_canonical
from include.ledger.balance import SAMPLES_KEPT, Balance
from include.ledger.hour_database import ENVELOPE, HELD_OF_ARCHIVED, IN_ORDER, NAMED, NUMBER, HourDatabase

# A row of the table ``readings``: shard, sequence number, sub-sequence number, state, load time, truck and event time.
# The state is that of sql/ledger/readings_of_hour.sql: covered, waiting or uncovered.
ReadingRow = tuple[str, str, int, str, str, str]

# Landed counts before resolved and quarantined: a replayed record is in two places (docs/adr/0008).
PLACES = f"""
    CREATE TEMP TABLE places AS
    SELECT
        archived.shard, archived.seq, archived.sub,
        CASE
            WHEN readings.seq IS NOT NULL THEN 'raw'
            WHEN resolved.seq IS NOT NULL THEN 'resolved'
            WHEN quarantined.seq IS NOT NULL THEN 'quarantine'
            ELSE 'missing'
        END AS place
    FROM archived
    LEFT JOIN readings USING ({ENVELOPE})
    {HELD_OF_ARCHIVED}
"""
UNARCHIVED = f"""
    SELECT coalesce(min(key), '{names.RAW_TABLE} ' || shard || ' ' || {NUMBER}) FROM (
        SELECT {ENVELOPE}, key FROM held UNION ALL SELECT {ENVELOPE}, NULL FROM readings
    )
    WHERE ({ENVELOPE}) NOT IN (SELECT {ENVELOPE} FROM archived) GROUP BY {ENVELOPE}
"""
MISSING = """
    CREATE TEMP TABLE missing AS
    SELECT shard, length(seq) AS size, seq, sub FROM places WHERE place = 'missing'
"""
# Whether a missing reading can be in an object with this first and last sequence number.
CAN_BE_IN = """
    SELECT 1 FROM missing
    WHERE shard = ? AND (size, seq) >= (length(?), ?) AND (size, seq) <= (length(?), ?) LIMIT 1
"""


class LandingObject(NamedTuple):
    """A landing object, by the parts of its name."""

    key: str
    shard_id: str
    # Sequence numbers.
    first: str
    last: str


class LandingZone(Protocol):
    """The landing objects (include.ledger.landing_zone)."""

    def objects(self, hour: datetime) -> Iterator[LandingObject]:
        """Objects that can have readings that arrived in ``hour``."""

    def envelopes(self, key: str) -> tuple[list[tuple[str, str, int]], str | None]:
        """The envelope of each line of an object, as in HourDatabase, and the error that ended reading it, if any."""


def archived_reading(record: ArchivedRecord) -> tuple[Any, ...]:
    """The record as a row of ``archived``."""
    return record.shard_id, record.sequence_number, record.sub_sequence_number, None, None, None


def balance_readings(
    database: HourDatabase,
    balance: Balance,
    rows: Iterable[ReadingRow],
    landing: LandingZone,
    overdue_before: datetime,
) -> None:
    """Fill in ``balance`` from RAW's rows and from the database, which has the archived and held records.

    The landing zone is read only if readings are missing.  A reading that was loaded before ``overdue_before`` and
    still waits for a merge is overdue.
    """
    database.add("readings", rows)
    database.execute(PLACES)
    balance.archived = database.count("SELECT 1 FROM archived")
    for place, field in (("raw", "landed"), ("resolved", "resolved"), ("quarantine", "quarantined")):
        setattr(balance, field, database.count("SELECT 1 FROM places WHERE place = ?", place))
    balance.missing = database.count("SELECT 1 FROM places WHERE place = 'missing'")
    balance.unexpected = database.count(UNARCHIVED)

    state = f"SELECT {NAMED}, what FROM readings WHERE state = ? {IN_ORDER}"
    overdue = f"SELECT {NAMED}, what FROM readings WHERE state = 'waiting' AND loaded < ? {IN_ORDER}"
    long_ago = to_canonical(overdue_before)
    balance.covered, balance.waiting, balance.uncovered = (
        database.count(state, each) for each in ("covered", "waiting", "uncovered")
    )
    balance.overdue = database.count(overdue, long_ago)
    balance.samples |= {
        kind: found
        for kind, found in (
            ("unexpected", database.samples(UNARCHIVED)),
            ("overdue", database.samples(overdue, long_ago)),
            ("uncovered", database.samples(state, "uncovered")),
        )
        if found
    }
    if balance.missing:
        _trace(database, balance, landing)


def _trace(database: HourDatabase, balance: Balance, landing: LandingZone) -> None:
    """Find where the missing readings were last: in which landing objects, or only in the archive."""
    database.execute(MISSING)
    database.execute("CREATE INDEX temp.missing_in_order ON missing (shard, size, seq)")
    database.execute(
        "CREATE TEMP TABLE landed (shard TEXT, seq TEXT, sub INTEGER, key TEXT, "
        f"PRIMARY KEY ({ENVELOPE})) WITHOUT ROWID"
    )
    unreadable = []
    for landed in landing.objects(balance.hour):
        bounds = (landed.first, landed.first, landed.last, landed.last)
        if database.count(CAN_BE_IN, landed.shard_id, *bounds):
            envelopes, error = landing.envelopes(landed.key)
            database.add("landed", [(*each, landed.key) for each in envelopes])
            if error:
                unreadable.append(f"{landed.key} cannot be read ({error})")
    balance.not_loaded = database.count(f"SELECT 1 FROM missing JOIN landed USING ({ENVELOPE})")
    files = database.execute(
        f"SELECT key, count(*) FROM missing JOIN landed USING ({ENVELOPE}) GROUP BY key ORDER BY 2 DESC LIMIT ?",
        SAMPLES_KEPT,
    )
    not_loaded = [f"{key} is not loaded ({count:,} readings)" for key, count in files]
    not_landed = database.samples(
        f"SELECT {NAMED}, 'is in no landing object' FROM missing "
        f"WHERE ({ENVELOPE}) NOT IN (SELECT {ENVELOPE} FROM landed) {IN_ORDER}"
    )
    balance.samples["missing"] = [*unreadable, *not_loaded, *not_landed][:SAMPLES_KEPT]
