"""A customer's clicks on an item."""

from datetime import datetime
from typing import Annotated

import msgspec

from include.contracts.errors import ContractError, short_repr
from include.contracts.json_object import UNREADABLE, check_object
from include.contracts.text import BLANKS, require_id, require_text
from include.contracts.times import DEFAULT_TIME_LIMITS, TimeLimits, canonical_event_time

MAX_ITEM_ID_LENGTH = 256
MAX_ITEM_NAME_LENGTH = 512
# The largest integer that every JSON reader and every store of the pipeline keeps exactly.
MAX_CLICK_COUNTS = 2**53

_ItemId = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ITEM_ID_LENGTH)]
_ItemName = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ITEM_NAME_LENGTH)]
_ClickCounts = Annotated[int, msgspec.Meta(ge=0, le=MAX_CLICK_COUNTS)]


class ClickEvent(msgspec.Struct, frozen=True, gc=False):
    """Clicks on one item; its identity is (timestamp, item_id).

    ``timestamp`` is canonical UTC text (``2025-03-17T15:35:54.597252``), ``click_counts`` a number of clicks.
    """

    item_id: _ItemId
    item_name: _ItemName
    timestamp: str
    click_counts: _ClickCounts


def item_hour_shard(item_id: str, timestamp: str, shard: int) -> str:
    """Partition key of the click index, for clicks on an item in the hour of ``timestamp`` (canonical)."""
    return f"{item_id}#{timestamp[:13]}#{shard}"


def decode_click(data: bytes, *, now: datetime, limits: TimeLimits = DEFAULT_TIME_LIMITS) -> ClickEvent:
    """Decode ``{"Item_ID", "Item_Name", "Timestamp", "Click_Counts"}``; other keys are ignored.

    Args:
        data: the record as it came from the stream.
        now: the clock, aware.
        limits: how far the click's own time may lie from ``now``.

    Raises:
        ContractError: the bytes break the contract.  No bytes raise anything else.
    """
    timestamp: object
    try:
        sent = _decode(data)
        item_id, item_name, timestamp, click_counts = sent.item_id, sent.item_name, sent.timestamp, sent.click_counts
        # A quick test, as no control character is printable.
        if not (item_id.isprintable() and item_name.isprintable() and item_id.strip(BLANKS) == item_id):
            raise msgspec.ValidationError("a text may break the contract")
    except UNREADABLE:
        item_id, item_name, timestamp, click_counts = check_object(data, _check)
    return ClickEvent(item_id, item_name, canonical_event_time(timestamp, "Timestamp", now, limits), click_counts)


class _SentClick(
    msgspec.Struct,
    rename={"item_id": "Item_ID", "item_name": "Item_Name", "timestamp": "Timestamp", "click_counts": "Click_Counts"},
    # msgspec skips an unknown key without checking its value for bad UTF-8 or deep nesting.  So an unknown key is
    # refused here, and the thorough check decides.
    forbid_unknown_fields=True,
    gc=False,
):
    """A click under the names that are sent."""

    item_id: _ItemId
    item_name: _ItemName
    timestamp: str
    click_counts: _ClickCounts


_decode = msgspec.json.Decoder(_SentClick).decode


def _check(document: dict[str, object]) -> tuple[str, str, object, int]:
    item_id = require_id(document.get("Item_ID"), "Item_ID", MAX_ITEM_ID_LENGTH)
    item_name = require_text(document.get("Item_Name"), "Item_Name", 1, MAX_ITEM_NAME_LENGTH)
    timestamp = document.get("Timestamp")
    if timestamp is None:
        raise ContractError("missing", "Timestamp", None, "required")
    rule = f"an integer from 0 to {MAX_CLICK_COUNTS}"
    click_counts = document.get("Click_Counts")
    if click_counts is None:
        raise ContractError("missing", "Click_Counts", None, f"required: {rule}")
    if type(click_counts) is not int:
        raise ContractError("wrong_type", "Click_Counts", short_repr(click_counts), rule)
    if not 0 <= click_counts <= MAX_CLICK_COUNTS:
        raise ContractError("out_of_range", "Click_Counts", short_repr(click_counts), rule)
    return item_id, item_name, timestamp, click_counts
