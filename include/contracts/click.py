"""What a customer clicked."""

from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec

from include.contracts.errors import ContractError, short_repr
from include.contracts.json_object import UNREADABLE, check_object, require_text
from include.contracts.times import MAX_CLOCK_SKEW, canonical_event_time

MAX_ITEM_ID_LENGTH = 256
MAX_ITEM_NAME_LENGTH = 512
# The largest integer that every JSON reader and every store of the pipeline keeps exactly.
MAX_CLICK_COUNTS = 2**53


class ClickEvent(msgspec.Struct, frozen=True, gc=False):
    """Clicks on one item; its identity is (timestamp, item_id).

    ``timestamp`` is canonical UTC text (``2025-03-17T15:35:54.597252``), ``click_counts`` a number of clicks.
    """

    item_id: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ITEM_ID_LENGTH)]
    item_name: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ITEM_NAME_LENGTH)]
    timestamp: str
    click_counts: Annotated[int, msgspec.Meta(ge=0, le=MAX_CLICK_COUNTS)]


def item_hour_shard(item_id: str, timestamp: str, shard: int) -> str:
    """Partition key of the click index, for clicks on an item in the hour of ``timestamp`` (canonical)."""
    return f"{item_id}#{timestamp[:13]}#{shard}"


# The same struct under the names that are sent.  An unknown key is refused here and left to the thorough path:
# msgspec skips what it does not know without looking for bad UTF-8 or nesting in it.
_Sent = msgspec.defstruct(
    "SentClick",
    [(field.name, field.type) for field in msgspec.structs.fields(ClickEvent)],
    rename={
        "item_id": "Item_ID",
        "item_name": "Item_Name",
        "timestamp": "Timestamp",
        "click_counts": "Click_Counts",
    },
    forbid_unknown_fields=True,
    gc=False,
)
_decode = msgspec.json.Decoder(_Sent).decode


def decode_click(
    data: bytes,
    *,
    now: datetime,
    max_event_age: timedelta | None = None,
    max_clock_skew: timedelta = MAX_CLOCK_SKEW,
) -> ClickEvent:
    """The click that ``data`` is: ``{"Item_ID", "Item_Name", "Timestamp", "Click_Counts"}``, other keys ignored.

    Args:
        data: the record as it came from the stream.
        now: the clock, aware.
        max_event_age: reject what is older; None accepts any age.
        max_clock_skew: reject what is further ahead of ``now``.

    Raises:
        ContractError: whatever is wrong with the bytes; nothing else is raised.
    """
    try:
        sent = _decode(data)
    except UNREADABLE:
        item_id, item_name, timestamp, click_counts = check_object(data, _check)
    else:
        item_id, item_name, timestamp, click_counts = sent.item_id, sent.item_name, sent.timestamp, sent.click_counts
    timestamp = canonical_event_time(
        timestamp, "Timestamp", now=now, max_event_age=max_event_age, max_clock_skew=max_clock_skew
    )
    return ClickEvent(item_id, item_name, timestamp, click_counts)


def _check(document: dict[str, Any]) -> tuple[str, str, Any, int]:
    item_id = require_text(document.get("Item_ID"), "Item_ID", 1, MAX_ITEM_ID_LENGTH)
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
