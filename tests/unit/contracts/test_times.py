from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.contracts.times import parse, to_canonical

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("sent", "canonical"),
    [
        ("2025-03-17T15:35:54.597252", "2025-03-17T15:35:54.597252"),
        ("2025-03-17T15:35:54", "2025-03-17T15:35:54.000000"),
        ("2025-03-17T15:35", "2025-03-17T15:35:00.000000"),
        ("2025-03-17T15:35:54.5", "2025-03-17T15:35:54.500000"),
        ("2025-03-17 15:35:54.597252", "2025-03-17T15:35:54.597252"),
        ("2025-03-17T15:35:54.597252Z", "2025-03-17T15:35:54.597252"),
        ("2025-03-17T15:35:54.597252+00:00", "2025-03-17T15:35:54.597252"),
        ("2025-03-17T15:35:54.597-00:00", "2025-03-17T15:35:54.597000"),
        ("2025-03-17T01:05:54+05:30", "2025-03-16T19:35:54.000000"),
        ("2025-03-17T01:05:54+0530", "2025-03-16T19:35:54.000000"),
        ("2025-03-17T20:00:00-08", "2025-03-18T04:00:00.000000"),
        ("2024-02-29T00:00:00", "2024-02-29T00:00:00.000000"),
        # .NET writes seven decimals, Go and Java up to nine.  They are cut, never rounded.
        ("2025-03-17T15:35:54.5972529", "2025-03-17T15:35:54.597252"),
        ("2025-03-17T15:35:54.59725299Z", "2025-03-17T15:35:54.597252"),
        ("2025-03-17T15:35:54.597252999+00:00", "2025-03-17T15:35:54.597252"),
        ("2025-03-17 15:35:59.999999999", "2025-03-17T15:35:59.999999"),
        ("2025-03-17T15:35:54.0000009-0000", "2025-03-17T15:35:54.000000"),
        ("9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.999999"),
        ("0001-01-01T00:00:00.0000001", "0001-01-01T00:00:00.000000"),
        ("0001-01-01T00:00:00-00:01", "0001-01-01T00:01:00.000000"),
        ("2025-03-17T15:35:54+05:59", "2025-03-17T09:36:54.000000"),
        ("2025-03-17T15:35:54+2359", "2025-03-16T15:36:54.000000"),
        ("2025-03-17T15:35:54-23", "2025-03-18T14:35:54.000000"),
    ],
)
def test_accepted_time_becomes_canonical(sent, canonical):
    assert to_canonical(parse(sent)) == canonical
    assert parse(sent).tzinfo is UTC


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "now",
        "2025-03-17",
        "15:35:54",
        "20250317T153554",
        "2025-W12-1T10:00:00",
        "2025-076T10:00:00",
        "1742225754",
        "2025-03-17T24:00:00",
        "2025-03-17T23:59:60",
        "2025-03-17T15:35:60",
        "2025-03-17T15:60:00",
        "2025-03-17T24:00:00Z",
        "2025-03-17T15:35:54.5972521234",
        "2025-03-17T15:35:54.5972521 ",
        "2025-03-17T15:35:54.597252１",
        "2025-03-17T15:35:54597",
        "2025-03-17T15:35.5",
        "2025-03-17T15:35:54,597252",
        "2025-03-17T15:35:54.",
        "2025-03-17x15:35:54.597252",
        "2025-02-29T10:00:00",
        "2025-13-01T10:00:00",
        "0000-01-01T00:00:00",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "2025-03-17T15:35:54+25:00",
        "2025-03-17T15:35:54+24:00",
        "2025-03-17T15:35:54-24",
        "2025-03-17T15:35:54+99:99",
        "2025-03-17T15:35:54+05:60",
        "2025-03-17T15:35:54-0560",
        "2025-03-17T15:35:54.5+00:99",
        "2025-03-17T15:35:54+05:30:00",
        "2025-03-17T15:35:54+05:",
        "2025-03-17T15:35:54+5:30",
        "2025-03-17T15:35:54+05:3",
        "2025-03-17T15:35:54−05:00",
        "2025-03-17T15:35:54z",
        "2025-03-17t15:35:54",
        "2025-03-17T15:35:54 +01:00",
        "2025-03-17T15:35:54Z ",
        "2025-03-17T15:35:54\n",
        "２０25-03-17T15:35:54.597252",
        "Mon, 17 Mar 2025 15:35:54 GMT",
    ],
)
def test_other_times_are_refused(sent):
    with pytest.raises(ValueError):  # noqa: PT011 (a day or an offset that does not exist has datetime's own words)
        parse(sent)


def test_naive_datetime_is_not_guessed():
    with pytest.raises(ValueError, match="time zone"):
        to_canonical(datetime(2025, 3, 17))  # noqa: DTZ001


@given(st.datetimes(min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29)), st.integers(-1439, 1439))  # noqa: DTZ001
def test_any_moment_survives_the_round_trip_in_any_zone(moment, offset_minutes):
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
    text = to_canonical(aware)
    assert len(text) == 26
    assert parse(text) == aware
    assert parse(aware.isoformat()) == aware


@given(
    st.lists(st.datetimes(min_value=datetime(1000, 1, 1), timezones=st.just(UTC)), min_size=2, max_size=2),  # noqa: DTZ001
)
def test_canonical_text_sorts_as_time(moments):
    first, second = moments
    assert (to_canonical(first) < to_canonical(second)) == (first < second)
