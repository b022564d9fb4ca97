"""Aggregates that version 0.2.0 or an earlier one put into quarantine whole: those took none apart.

A replay has the function take such a record apart.  The function writes the user records that are invalid to objects of
their own, but for the first one: that has the name of the whole, and an object is never overwritten.
"""

from __future__ import annotations

import msgspec

from include.contracts import ContractError, aggregates
from include.contracts.quarantine import Quarantined


def is_whole(record: Quarantined) -> bool:
    """Whether the record is an aggregate that was never taken apart.

    Since aggregates are taken apart, one that is left has another reason: it is broken, or inside another one.
    """
    return record.reason == "not_json" and aggregates.is_aggregate(record.payload)


def first_user_record(record: Quarantined) -> Quarantined:
    """The record with only the first user record in it; a broken aggregate stays as it is."""
    try:
        first = aggregates.user_records(record.payload)[0]
    except ContractError:
        return record
    envelope = msgspec.structs.replace(record.envelope, partition_key=first.partition_key)
    return msgspec.structs.replace(record, envelope=envelope, payload=first.payload)
