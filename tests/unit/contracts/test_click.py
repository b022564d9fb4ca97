import json
from datetime import UTC, datetime, timedelta

import pytest

from include.contracts import ContractError, TimeLimits, decode_click
from include.contracts.click import time_of_row

pytestmark = pytest.mark.unit

NOW = datetime(2025, 3, 17, 15, 36, tzinfo=UTC)
CLICK = {"Item_ID": "MOB001", "Item_Name": "Mobile Phone", "Timestamp": "2025-03-17T15:35:54.597252", "Click_Counts": 3}


def _decode(now=NOW, max_event_age=None, **changes):
    limits = TimeLimits(max_event_age=max_event_age)
    return decode_click(json.dumps({**CLICK, **changes}).encode(), now=now, limits=limits)


def _error(data: bytes) -> ContractError:
    with pytest.raises(ContractError) as caught:
        decode_click(data, now=NOW)
    return caught.value


def test_error_names_field_value_and_rule():
    with pytest.raises(ContractError) as caught:
        _decode(Click_Counts=-1)
    error = caught.value
    assert (error.reason, error.field, error.value) == ("out_of_range", "Click_Counts", "-1")
    assert error.rule == "an integer from 0 to 9007199254740992"
    assert str(error) == "out_of_range: Click_Counts = -1 (an integer from 0 to 9007199254740992)"


@pytest.mark.parametrize("counts", [0, 1, 2**53])
def test_counts_at_their_limits_are_accepted(counts):
    assert _decode(Click_Counts=counts).click_counts == counts


@pytest.mark.parametrize("counts", [-1, 2**53 + 1, 10**30, 10**400])
def test_counts_beyond_their_limits_are_out_of_range(counts):
    with pytest.raises(ContractError) as caught:
        _decode(Click_Counts=counts)
    assert (caught.value.reason, caught.value.field) == ("out_of_range", "Click_Counts")


@pytest.mark.parametrize("length", [1, 256])
def test_item_id_length_counts_characters_not_bytes(length):
    assert _decode(Item_ID="é" * length).item_id == "é" * length


def test_item_id_of_257_characters_is_out_of_range():
    with pytest.raises(ContractError) as caught:
        _decode(Item_ID="é" * 257)
    assert (caught.value.reason, caught.value.field) == ("out_of_range", "Item_ID")
    assert len(caught.value.value) <= 200


@pytest.mark.parametrize("event_id", ["0193a1f2-7c3a-7b1d-9c0a-5f4e3d2c1b0a", "7", "a b", "#", "é" * 128])
def test_an_event_id_is_part_of_the_key_of_the_row_and_the_time_stays_readable(event_id):
    click = _decode(Event_ID=event_id)
    assert (click.timestamp, click.event_id) == (CLICK["Timestamp"], event_id)
    assert click.row_timestamp == f"{CLICK['Timestamp']}#{event_id}"
    assert time_of_row(click.row_timestamp) == CLICK["Timestamp"]
    # Whichever way it is decoded.
    assert _decode(Event_ID=event_id, Referrer="x") == click


def test_without_an_event_id_the_row_has_the_key_that_it_always_had():
    for click in (_decode(), _decode(Event_ID=None), _decode(event_id="x", Referrer="x")):
        assert (click.event_id, click.row_timestamp) == (None, CLICK["Timestamp"])
        assert click.identity == (CLICK["Timestamp"], "MOB001")


@pytest.mark.parametrize(
    ("event_id", "reason"),
    [("", "out_of_range"), ("x" * 129, "out_of_range"), (" x", "bad_text"), ("a\tb", "bad_text"), (7, "wrong_type")],
)
def test_an_event_id_that_is_no_id_rejects_the_click(event_id, reason):
    with pytest.raises(ContractError) as caught:
        _decode(Event_ID=event_id)
    assert (caught.value.reason, caught.value.field) == (reason, "Event_ID")


def test_last_of_duplicate_keys_wins_even_over_an_invalid_one():
    first = b'{"Item_ID":7,"Item_Name":"P","Timestamp":"2025-03-17T15:35:54","Click_Counts":"x"'
    click = decode_click(first + b',"Item_ID":"MOB001","Click_Counts":2}', now=NOW)
    assert (click.item_id, click.click_counts) == ("MOB001", 2)


def test_last_of_duplicate_keys_wins_even_if_it_is_the_invalid_one():
    error = _error(json.dumps(CLICK).encode()[:-1] + b',"Click_Counts":null}')
    assert (error.reason, error.field) == ("missing", "Click_Counts")


def test_ten_minutes_ahead_is_accepted_and_a_microsecond_more_is_in_future():
    limit = NOW + timedelta(minutes=10)
    assert _decode(Timestamp=limit.isoformat()).timestamp == "2025-03-17T15:46:00.000000"
    with pytest.raises(ContractError) as caught:
        _decode(Timestamp=(limit + timedelta(microseconds=1)).isoformat())
    assert (caught.value.reason, caught.value.field) == ("in_future", "Timestamp")


def test_age_is_limited_only_when_asked():
    old = (NOW - timedelta(days=1, microseconds=1)).isoformat()
    assert _decode(Timestamp=old).timestamp == "2025-03-16T15:35:59.999999"
    with pytest.raises(ContractError) as caught:
        _decode(Timestamp=old, max_event_age=timedelta(days=1))
    assert caught.value.reason == "too_old"
    assert _decode(Timestamp=(NOW - timedelta(days=1)).isoformat(), max_event_age=timedelta(days=1))


def test_an_age_limit_of_more_years_than_there_are_accepts_any_age():
    click = _decode(Timestamp="0001-01-01T00:00:00", max_event_age=timedelta(days=365 * 3000))
    assert click.timestamp == "0001-01-01T00:00:00.000000"


@pytest.mark.parametrize("decimals", ["597252", "5972520", "5972529", "597252999Z"])
def test_clicks_that_differ_from_the_seventh_decimal_on_have_one_key(decimals):
    assert _decode(Timestamp=f"2025-03-17T15:35:54.{decimals}") == _decode()


@pytest.mark.parametrize(
    "data",
    [b"", b" ", b"\x00", b"{", b"[" * 5000 + b"]" * 5000, b"[" * 1_000_000, b'{"a":' * 5000 + b"1" + b"}" * 5000],
    ids=["empty", "blank", "nul", "brace", "nested_lists", "a_million_open_brackets", "nested_objects"],
)
def test_what_is_no_json_is_not_json(data):
    assert _error(data).reason == "not_json"


def test_deep_nesting_in_an_ignored_key_is_rejected_on_every_python_version():
    """Interpreters differ in how deep they can read; the contract's limit of 64 does not."""

    def with_levels(levels: int) -> bytes:
        return json.dumps(CLICK).encode()[:-1] + b',"extra":' + b"[" * levels + b"]" * levels + b"}"

    assert decode_click(with_levels(63), now=NOW)
    assert _error(with_levels(64)).reason == "not_json"
    assert _error(with_levels(5000)).reason == "not_json"


def test_many_shallow_lists_in_an_ignored_key_are_no_nesting():
    assert _decode(extra=[[]] * 1000)


def test_one_megabyte_of_noise_is_rejected_with_a_short_value():
    error = _error(bytes(range(256)) * 4096)
    assert error.reason == "not_json"
    assert len(error.value) <= 200


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_number_that_json_cannot_hold_names_its_field(constant):
    error = _error(json.dumps(CLICK).replace(": 3", f": {constant}").encode())
    assert (error.reason, error.field) == ("wrong_type", "Click_Counts")


def test_nan_in_an_ignored_key_is_not_json():
    error = _error(json.dumps(CLICK)[:-1].encode() + b',"extra":NaN}')
    assert (error.reason, error.field) == ("not_json", None)


def test_error_value_is_printable_ascii():
    with pytest.raises(ContractError) as caught:
        _decode(Timestamp="\x1b[2J‮" + "é" * 500)
    assert caught.value.value.isascii()
    assert caught.value.value.isprintable()
    assert len(caught.value.value) <= 200
