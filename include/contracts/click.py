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
# With the time before it, 128 characters of four bytes fit a sort key of DynamoDB, which has 1,024 bytes.
MAX_EVENT_ID_LENGTH = 128
# The largest integer that every JSON reader and every store of the pipeline keeps exactly.
MAX_CLICK_COUNTS = 2**53

_ItemId = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ITEM_ID_LENGTH)]
_ItemName = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ITEM_NAME_LENGTH)]
_ClickCounts = Annotated[int, msgspec.Meta(ge=0, le=MAX_CLICK_COUNTS)]
_EventId = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_EVENT_ID_LENGTH)]

# The length of a canonical time.
TIME_LENGTH = 26


class ClickEvent(msgspec.Struct, frozen=True, gc=False):
    """Clicks on one item.

    ``timestamp`` is canonical UTC text (``2025-03-17T15:35:54.597252``), ``click_counts`` a number of clicks.
    ``event_id`` is the name that the producer gave the event, if it did (docs/adr/0003).
    """

    item_id: _ItemId
    item_name: _ItemName
    timestamp: str
    click_counts: _ClickCounts
    event_id: _EventId | None = None

    @property
    def identity(self) -> tuple[str, ...]:
        """What no two events share and all sendings of one event do: (timestamp, item) or ("", item, event id)."""
        if self.event_id is None:
            return self.timestamp, self.item_id
        return "", self.item_id, self.event_id

    @property
    def row_timestamp(self) -> str:
        """The partition key of its row (see :func:`row_timestamp`)."""
        return self.timestamp if self.event_id is None else row_timestamp(self.timestamp, self.event_id)


def row_timestamp(timestamp: str, event_id: str) -> str:
    """``Timestamp`` in the row of an event with an id: ``<timestamp>#<event id>``, which sorts by time.

    A canonical time always has 26 characters: so this is never the time, or the ``Timestamp``, of another event.
    """
    return f"{timestamp}#{event_id}"


def time_of_row(row_timestamp: str) -> str:
    """The click's own time, canonical, in ``Timestamp`` of its row, with or without an event id."""
    return row_timestamp[:TIME_LENGTH]


def item_hour_shard(item_id: str, timestamp: str, shard: int) -> str:
    """Partition key of the click index, for clicks on an item in the hour of ``timestamp`` (canonical)."""
    return f"{item_id}#{timestamp[:13]}#{shard}"


def decode_click(data: bytes, *, now: datetime, limits: TimeLimits = DEFAULT_TIME_LIMITS) -> ClickEvent:
    """Decode ``{"Item_ID", "Item_Name", "Timestamp", "Click_Counts"}``, and ``"Event_ID"`` if it is there.

    Other keys are ignored.  An event id that is null counts as none.

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
        event_id = sent.event_id
        # A quick test, as no control character is printable.
        if not (
            item_id.isprintable()
            and item_name.isprintable()
            and item_id.strip(BLANKS) == item_id
            and (event_id is None or (event_id.isprintable() and event_id.strip(BLANKS) == event_id))
        ):
            raise msgspec.ValidationError("a text may break the contract")
    except UNREADABLE:
        item_id, item_name, timestamp, click_counts, event_id = check_object(data, _check)
    time = canonical_event_time(timestamp, "Timestamp", now, limits)
    return ClickEvent(item_id, item_name, time, click_counts, event_id)


class _SentClick(
    msgspec.Struct,
    rename={
        "item_id": "Item_ID",
        "item_name": "Item_Name",
        "timestamp": "Timestamp",
        "click_counts": "Click_Counts",
        "event_id": "Event_ID",
    },
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
    event_id: _EventId | None = None


_decode = msgspec.json.Decoder(_SentClick).decode


def _check(document: dict[str, object]) -> tuple[str, str, object, int, str | None]:
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
    event_id = document.get("Event_ID")
    if event_id is not None:
        event_id = require_id(event_id, "Event_ID", MAX_EVENT_ID_LENGTH)
    return item_id, item_name, timestamp, click_counts, event_id
