"""The rules for clicks: which records of a batch become rows, and what is in a row."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from zlib import crc32

import msgspec

from include.contracts import ClickEvent, ContractError, Envelope, TimeLimits, decode_click, times
from include.contracts.click import item_hour_shard
from lambdas.common.batch import BatchRecord, Rejected
from lambdas.common.dynamodb import DynamoItem


class ClickBatch(msgspec.Struct):
    """A sorted batch: received = accepted + duplicates + rejected.  ``accepted`` is by identity."""

    accepted: dict[tuple[str, ...], tuple[ClickEvent, Envelope]]
    rejected: list[Rejected]
    duplicates: int
    # (Kept, rejected) of each key conflict.  Delivered without the kept one, the other would be accepted.
    together: list[tuple[Envelope, Envelope]]
    # The accepted clicks as rows of ClickStreamData, but for those that have expired.
    rows: list[tuple[DynamoItem, Envelope]] = []

    @property
    def expired(self) -> int:
        """How many accepted clicks are not stored, as they are past their time."""
        return len(self.accepted) - len(self.rows)


def prepare(
    records: Iterable[BatchRecord], limits: TimeLimits, *, ingested_at: str, index_shards: int, ttl_days: int = 0
) -> ClickBatch:
    """Sort out the records, and make the rows of those that are accepted.

    Args:
        ttl_days: a row expires so many days after its click's own time, which all sendings of a click share; 0: never.
            A click whose row would have expired gets none: a late one, or an old one in a rebuild.
    """
    clicks = sort_out(records, limits)
    expired_before = times.to_canonical(times.parse(ingested_at) - timedelta(days=ttl_days)) if ttl_days else ""
    clicks.rows = [
        (click_item(click, envelope, ingested_at=ingested_at, index_shards=index_shards, ttl_days=ttl_days), envelope)
        for click, envelope in clicks.accepted.values()
        if click.timestamp >= expired_before
    ]
    return clicks


def sort_out(records: Iterable[BatchRecord], limits: TimeLimits) -> ClickBatch:
    """Decode and validate every record; keep the first content of each identity.

    BatchWriteItem refuses a batch that names a key twice, and distinct identities have distinct keys.  A repeated
    identity with the same content is a duplicate.  Its envelope replaces the earlier one, as it would in a later batch:
    so a row names the last record of its shard, wherever batches are cut.  A repeated identity with other content is
    rejected as ``key_conflict``, because nothing shows which one is wrong.  Of an event id, the time is content too.
    Data never raises an error.
    """
    clicks = ClickBatch({}, [], 0, [])
    for record in records:
        try:
            click = decode_click(record.payload, now=record.arrival, limits=limits)
        except ContractError as error:
            clicks.rejected.append(Rejected(record, error))
            continue
        identity = click.identity
        kept = clicks.accepted.get(identity)
        if kept is not None and kept[0] != click:
            clicks.rejected.append(Rejected(record, _key_conflict(click, kept[1])))
            clicks.together.append((kept[1], record.envelope))
            continue
        clicks.duplicates += kept is not None
        clicks.accepted[identity] = (click, record.envelope)
    return clicks


def click_item(
    click: ClickEvent, envelope: Envelope, *, ingested_at: str, index_shards: int, ttl_days: int = 0
) -> DynamoItem:
    """The row of ClickStreamData for a click."""
    timestamp = click.row_timestamp
    shard = crc32(timestamp.encode()) % index_shards if index_shards > 1 else 0
    item = {
        "Timestamp": {"S": timestamp},
        "Item_ID": {"S": click.item_id},
        "Item_Name": {"S": click.item_name},
        "Click_Counts": {"N": str(click.click_counts)},
        "Item_Hour_Shard": {"S": item_hour_shard(click.item_id, timestamp, shard)},
        "Ingested_At": {"S": ingested_at},
        "Stream": {"S": envelope.stream},
        "Shard_ID": {"S": envelope.shard_id},
        "Sequence_Number": {"S": envelope.sequence_number},
        "Arrival_Time": {"S": envelope.arrival_time},
    }
    if click.event_id is not None:
        item["Event_ID"] = {"S": click.event_id}
    if ttl_days:
        expires = times.parse(click.timestamp) + timedelta(days=ttl_days)
        item["Expires_At"] = {"N": str(int(expires.timestamp()))}
    if envelope.sub_sequence_number:
        item["Sub_Sequence_Number"] = {"N": str(envelope.sub_sequence_number)}
    return item


def _key_conflict(click: ClickEvent, kept: Envelope) -> ContractError:
    if click.event_id is None:
        field, value = "Timestamp, Item_ID", f"{click.timestamp}, {click.item_id}"
    else:
        field, value = "Event_ID, Item_ID", f"{click.event_id}, {click.item_id}"
    return ContractError(
        "key_conflict",
        field=field,
        value=value[:200],
        rule=f"one content a key; another was kept from {kept.shard_id} {kept.number}",
    )
