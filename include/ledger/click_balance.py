"""The balance of an hour of clicks: the archive compared with ClickStreamData and quarantine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from hashlib import blake2b
from typing import Any, Protocol

from include import names
from include.contracts import ContractError, decode_click
from include.contracts.archive import ArchivedRecord
from include.contracts.click import TIME_LENGTH
from include.contracts.times import parse, to_canonical
from include.ledger.balance import HOUR, SAMPLES_KEPT, Balance
from include.ledger.hour_database import ENVELOPE, HELD_OF_ARCHIVED, IN_ORDER, NAMED, RESOLVED, HourDatabase

# A row of the table ``clicks``: key, digest of the content, arrival time.
ClickRow = tuple[str, bytes, str]

# Behind an event id in the text of a key.
TAB = "\t"

# Where each archived envelope is, with the row of its click.  A resolved record was accepted by its function, so it
# counts as processed.  A quarantined record whose content the row has was written as well (docs/adr/0008).
PLACES = f"""
    CREATE TEMP TABLE places AS
    SELECT
        archived.shard, archived.seq, archived.sub, archived.valid, archived.click, archived.content,
        clicks.content AS row_content, clicks.arrival AS row_arrival,
        quarantined.seq IS NOT NULL AND resolved.seq IS NULL AS is_quarantined,
        CASE
            WHEN archived.valid AND clicks.click IS NOT NULL
                AND (quarantined.seq IS NULL OR resolved.seq IS NOT NULL OR archived.content = clicks.content)
                THEN 'table'
            WHEN resolved.seq IS NOT NULL AND NOT archived.valid THEN 'resolved'
            WHEN quarantined.seq IS NOT NULL AND resolved.seq IS NULL THEN 'quarantine'
            WHEN archived.valid AND archived.click < ? THEN 'expired'
            ELSE 'missing'
        END AS place
    FROM archived
    LEFT JOIN clicks ON clicks.click = archived.click
    {HELD_OF_ARCHIVED}
"""
HELD_UNARCHIVED = (
    f"SELECT min(key) FROM held WHERE ({ENVELOPE}) NOT IN (SELECT {ENVELOPE} FROM archived) GROUP BY {ENVELOPE}"
)
ROWS_UNARCHIVED = f"""
    SELECT '{names.CLICK_TABLE} ' || replace(click, '{TAB}', ' ') FROM clicks
    WHERE arrival >= ? AND arrival < ? AND click NOT IN (SELECT click FROM archived WHERE valid)
"""
# The identity of a click: all of its key, without the time if it has an event id.
IDENTITY = f"iif(instr(click, '{TAB}'), substr(click, {TIME_LENGTH + 1}), click)"
# A record in quarantine did not try to become the row.  An event id may also be in rows of several times.
CONFLICTING = f"""
    SELECT {IDENTITY} AS identity FROM (
        SELECT click, content FROM places WHERE valid AND NOT is_quarantined
        UNION
        SELECT click, row_content FROM places WHERE valid AND row_content IS NOT NULL
    )
    GROUP BY identity HAVING count(*) > 1
"""


class ClickRows(Protocol):
    """The rows of ClickStreamData (include.ledger.click_rows)."""

    def around(self, hour: datetime) -> Iterator[ClickRow]:
        """Most rows that arrived in ``hour``, found by the clicks' own times."""

    def by_key(self, clicks: Iterable[str]) -> Iterator[ClickRow]:
        """The rows that exist of these clicks."""


def archived_click(record: ArchivedRecord) -> tuple[Any, ...]:
    """The record as a row of ``archived``: judged at its arrival, as its function did (docs/adr/0002)."""
    envelope = record.shard_id, record.sequence_number, record.sub_sequence_number
    try:
        click = decode_click(record.payload, now=parse(record.arrival_time))
    except ContractError:
        return *envelope, False, None, None
    key = click_key(click.row_timestamp, click.item_id)
    return *envelope, True, key, content_digest(click.item_name, click.click_counts)


def click_key(row_timestamp: str, item_id: str) -> str:
    """The key of a row as one text: ``<timestamp> <item>``, or ``<timestamp>#<event id><tab><item>``.

    No id has a tab in it, so different rows never have the same text.
    """
    return f"{row_timestamp} {item_id}" if len(row_timestamp) == TIME_LENGTH else f"{row_timestamp}{TAB}{item_id}"


def row_key(click: str) -> tuple[str, str]:
    """The key of the row (partition and sort key) that a text of ``click_key`` names."""
    row_timestamp, _, item_id = click.partition(" " if click[TIME_LENGTH] == " " else TAB)
    return row_timestamp, item_id


def content_digest(item_name: str, click_counts: int) -> bytes:
    return blake2b(f"{click_counts} {item_name}".encode(), digest_size=16).digest()


def balance_clicks(
    database: HourDatabase,
    balance: Balance,
    rows: ClickRows,
    resolved_reason: Callable[[str], str],
    expired_before: str = "",
) -> None:
    """Fill in ``balance`` from the table's rows and from the database, which has the archived and held records.

    ``resolved_reason`` returns why the record of a key in quarantine-resolved/ was quarantined.  A click whose own time
    is before ``expired_before`` (canonical; empty for none) may have no row any more.
    """
    database.add("clicks", rows.around(balance.hour))
    database.execute(
        "CREATE TEMP TABLE wanted AS SELECT DISTINCT click FROM archived WHERE valid EXCEPT SELECT click FROM clicks"
    )
    database.add("clicks", rows.by_key(click for (click,) in database.execute("SELECT click FROM wanted")))
    # The text of a click's key begins with its time.
    database.execute(PLACES, expired_before)
    database.execute(f"CREATE INDEX temp.places_of_click ON places ({IDENTITY})")

    bounds = to_canonical(balance.hour), to_canonical(balance.hour + HOUR)
    in_table = "SELECT click FROM places WHERE place = 'table'"
    balance.archived = database.count("SELECT 1 FROM archived")
    balance.landed = database.count(
        f"SELECT DISTINCT click FROM ({in_table} AND row_arrival >= ? AND row_arrival < ?)", *bounds
    )
    balance.duplicates = database.count(in_table) - balance.landed
    balance.quarantined = database.count("SELECT 1 FROM places WHERE place = 'quarantine'")
    balance.resolved = database.count("SELECT 1 FROM places WHERE place = 'resolved'")
    balance.expired = database.count("SELECT 1 FROM places WHERE place = 'expired'")
    missing = f"SELECT {NAMED} FROM places WHERE place = 'missing' {IN_ORDER}"
    balance.missing = database.count(missing)
    balance.unexpected = database.count(HELD_UNARCHIVED) + database.count(ROWS_UNARCHIVED, *bounds)
    unexpected = database.samples(HELD_UNARCHIVED) + database.samples(ROWS_UNARCHIVED, *bounds)
    balance.samples |= {
        kind: found[:SAMPLES_KEPT]
        for kind, found in (("missing", database.samples(missing)), ("unexpected", unexpected))
        if found
    }
    _find_conflicts(database, balance, resolved_reason)


def _find_conflicts(database: HourDatabase, balance: Balance, resolved_reason: Callable[[str], str]) -> None:
    for (identity,) in database.execute(CONFLICTING):
        # A person who replays a key_conflict wants the row to change.
        replayed = database.execute(
            f"SELECT held.key FROM places JOIN held USING ({ENVELOPE}) WHERE {IDENTITY} = ? AND held.place = ?",
            identity,
            RESOLVED,
        )
        if any(resolved_reason(key) == "key_conflict" for (key,) in replayed):
            continue
        balance.conflicts += 1
        samples = balance.samples.setdefault("conflicts", [])
        if len(samples) < SAMPLES_KEPT:
            senders = database.samples(f"SELECT {NAMED} FROM places WHERE {IDENTITY} = ? {IN_ORDER}", identity)
            row = f"SELECT min(click), max(row_arrival) FROM places WHERE {IDENTITY} = ?"
            ((click, arrival),) = database.execute(row, identity)
            samples.append(f"{click.replace(TAB, ' ')} ({', '.join(senders)}; the row arrived {arrival})")
