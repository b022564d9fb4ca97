from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.generator import event_times
from include.generator.event_times import SLOT, Slots

pytestmark = pytest.mark.unit

_slots = st.integers(20_000_000_000_000, 40_000_000_000_000).map(lambda number: number * SLOT)
_displacements = st.one_of(
    st.just(lambda slot: slot),
    st.integers(1, event_times.MAX_MINUTES_LATE).map(lambda k: lambda slot: event_times.late(slot, k)),
    st.integers(1, event_times.MAX_SECONDS_OUT_OF_ORDER).map(lambda k: lambda slot: event_times.out_of_order(slot, k)),
    st.integers(0, 11).map(lambda number: lambda slot: event_times.aggregated(slot, number)),
)


@given(
    _slots, _displacements, st.integers(-(20 * 60 * 1_000_000) // SLOT, (20 * 60 * 1_000_000) // SLOT), _displacements
)
def test_events_of_two_slots_never_happen_at_one_time_however_displaced(slot, displace, distance, displace_other):
    other = slot + distance * SLOT
    if other != slot:
        assert displace(slot) != displace_other(other)


def test_every_displacement_that_could_meet_another_slot_is_told_apart_by_its_last_bits():
    minutes = [event_times.late(0, k) % SLOT for k in range(1, event_times.MAX_MINUTES_LATE + 1)]
    seconds = [event_times.out_of_order(0, k) % SLOT for k in range(1, event_times.MAX_SECONDS_OUT_OF_ORDER + 1)]
    parts = [event_times.aggregated(0, number) for number in range(12)]
    assert len({0, *minutes, *seconds, *parts}) == SLOT == 1 + len(minutes) + len(seconds) + len(parts)


@given(st.lists(st.integers(0, 10_000), max_size=50), st.integers(0, 5_000))
def test_slots_only_ever_grow_even_if_the_clock_does_not(times, last):
    slots = Slots(last * SLOT)
    given_out = [slots.at(time) for time in times]
    assert all(later > earlier for earlier, later in zip([last * SLOT, *given_out], given_out, strict=False))
    assert all(slot % SLOT == 0 for slot in given_out)


def test_microseconds_survive_the_round_trip():
    moment = datetime(2025, 3, 17, 15, 35, 54, 597252, tzinfo=UTC)
    assert event_times.to_microseconds(moment) == 1742225754597252
    assert event_times.to_datetime(1742225754597252) == moment
