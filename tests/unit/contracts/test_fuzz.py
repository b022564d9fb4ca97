"""Whatever the bytes are, the answer is an event or a ContractError, and both decoding paths agree."""

import json
from datetime import UTC, datetime
from functools import partial

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from include.contracts import (
    METRICS,
    ClickEvent,
    ContractError,
    TelemetryReading,
    decode_click,
    decode_reading,
    read_metric_policy,
)
from include.contracts.telemetry import decode_thoroughly

pytestmark = pytest.mark.unit

NOW = datetime(2025, 3, 17, 15, 36, tzinfo=UTC)
IDENTITY = {"truck_id": "TRK001", "timestamp": "2025-03-17T15:35:54.597252"}

nearly_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=6,
)


def _cases(name: str):
    return st.sampled_from([name, name.upper(), name.lower(), name.title()])


_keys = st.sampled_from(["truck_id", "timestamp", "is_current", *(m.name for m in METRICS)]).flatmap(_cases)
_groups = st.sampled_from(sorted({m.nested_path[0] for m in METRICS if len(m.nested_path) > 1}))
_leaves = st.sampled_from(sorted({key for m in METRICS for key in m.nested_path[1:]}))
_values = (
    st.integers(0, 60)
    | st.floats(0, 60)
    | st.sampled_from(
        ["Good", None, True, -1, 1e9, float("nan"), "", 10**20, "a\0b", " padded", "\u2028", "\u5361\u8f66", "\u200d"]
    )
)
_reading_like = st.builds(
    lambda identity, flat, nested: {**identity, **flat, **nested},
    st.sampled_from([IDENTITY, {key.upper(): value for key, value in IDENTITY.items()}, {}]),
    st.dictionaries(_keys, _values, max_size=6),
    st.dictionaries(_groups, st.dictionaries(_leaves, _values, max_size=3) | _values, max_size=2),
)
_click_like = st.dictionaries(
    st.sampled_from(["Item_ID", "Item_Name", "Timestamp", "Click_Counts", "Event_ID", "item_id", "extra"]),
    st.sampled_from(["MOB001", IDENTITY["timestamp"], 3, 3.0, None, True, -1, "", float("inf")]) | nearly_json,
)


def _mutilate(document: object, cut: int, noise: bytes) -> bytes:
    data = json.dumps(document).encode()
    return data[: max(0, len(data) - cut)] + noise


payloads = st.binary(max_size=200) | st.builds(
    _mutilate,
    _reading_like | _click_like | nearly_json,
    st.just(0) | st.integers(0, 40),
    st.just(b"") | st.binary(max_size=4),
)


def _outcome(decode, data: bytes):
    try:
        return decode(data)
    except ContractError as error:
        return error


@given(payloads)
@example(b'{"Item_ID":"\\ud800","Item_Name":"x","Timestamp":"2025-03-17T15:35:54","Click_Counts":1}')
@example(b'{"Item_ID":"A","Item_Name":"x","Timestamp":"2025-03-17T15:35:54","Click_Counts":1,"Event_ID":"\\ud800"}')
@pytest.mark.parametrize(("decode", "struct"), [(decode_click, ClickEvent), (decode_reading, TelemetryReading)])
def test_any_bytes_give_an_event_that_can_be_stored_or_one_error(decode, struct, data):
    outcome = _outcome(partial(decode, now=NOW), data)
    if isinstance(outcome, ContractError):
        assert outcome.reason
        assert outcome.rule
        assert outcome.value is None or len(outcome.value) <= 200
        assert str(outcome).encode()
    else:
        # What is stored is valid in itself: text is UTF-8, numbers are finite and in range.
        assert msgspec.json.decode(msgspec.json.encode(outcome), type=struct) == outcome


@given(_reading_like)
def test_typed_decoders_and_the_thorough_path_agree(document):
    data = json.dumps(document).encode()
    thorough = _outcome(decode_thoroughly, data)
    reading = _outcome(partial(decode_reading, now=NOW), data)
    if isinstance(thorough, ContractError):
        assert isinstance(reading, ContractError)
        assert (reading.reason, reading.field) == (thorough.reason, thorough.field)
    elif isinstance(reading, ContractError):
        assert reading.field == "timestamp"
    else:
        truck_id, _, metrics, nulled = thorough
        assert [*msgspec.structs.astuple(reading)] == [truck_id, reading.event_time, *metrics, nulled]


@given(_reading_like)
def test_nulling_changes_only_what_is_out_of_range(document):
    data = json.dumps(document).encode()
    strict = _outcome(partial(decode_reading, now=NOW), data)
    nulling = _outcome(partial(decode_reading, now=NOW, policy=read_metric_policy("all", "")), data)
    if not isinstance(strict, ContractError):
        assert nulling == strict
    elif isinstance(nulling, ContractError):
        assert strict.reason in {"out_of_range", nulling.reason}
    else:
        assert (strict.reason, strict.field) == ("out_of_range", nulling.nulled[0][0])
        assert {getattr(nulling, metric) for metric, _sent in nulling.nulled} == {None}
