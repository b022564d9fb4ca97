"""The oracle against histories small enough to be worked out by hand."""

from __future__ import annotations

import itertools

import pytest

from include.contracts import METRICS
from sql.merge.history_oracle import ATTRIBUTES, ArrivedReading, HistoryVersion, from_raw, history, latest

pytestmark = pytest.mark.unit


def reading(
    at: str, speed: float | None, sequence: int = 1, arrival: str = "", truck: str = "TRK001"
) -> ArrivedReading:
    return ArrivedReading(truck, at, arrival, sequence, (speed,))


def test_no_readings_no_history():
    assert history([]) == []


def test_equal_neighbours_are_one_version_and_the_last_one_is_current():
    versions = history([reading("t1", 10.0), reading("t2", 10.0), reading("t3", 20.0)])

    assert versions == [
        HistoryVersion("TRK001", "t1", "t3", False, (10.0,)),
        HistoryVersion("TRK001", "t3", None, True, (20.0,)),
    ]


def test_a_value_that_comes_back_is_a_version_of_its_own():
    starts = [version.start for version in history([reading("t1", 1.0), reading("t2", 2.0), reading("t3", 1.0)])]

    assert starts == ["t1", "t2", "t3"]


def test_null_equals_null():
    assert len(history([reading("t1", None), reading("t2", None)])) == 1


def test_of_one_instant_the_last_arrival_wins_by_time_then_by_number():
    by_time = [reading("t1", 1.0, sequence=9, arrival="a1"), reading("t1", 2.0, sequence=3, arrival="a2")]
    by_number = [reading("t1", 1.0, sequence=9), reading("t1", 2.0, sequence=10)]
    by_position = [reading("t1", speed)._replace(sub_sequence_number=place) for place, speed in ((0, 1.0), (1, 2.0))]

    assert history(by_time)[0].attributes == (2.0,)
    assert history(by_number)[0].attributes == (2.0,)
    assert history(by_position)[0].attributes == history(by_position[::-1])[0].attributes == (2.0,)


def test_the_order_of_the_readings_does_not_matter():
    readings = [reading("t1", 1.0), reading("t2", 1.0), reading("t3", 2.0, 5), reading("t3", 1.0, 6)]

    histories = {tuple(history(order)) for order in itertools.permutations(readings)}

    assert histories == {(HistoryVersion("TRK001", "t1", None, True, (1.0,)),)}


def test_trucks_do_not_touch_each_other():
    versions = history([reading("t1", 1.0), reading("t2", 1.0, truck="TRK002"), reading("t3", 1.0)])

    assert versions == [
        HistoryVersion("TRK001", "t1", None, True, (1.0,)),
        HistoryVersion("TRK002", "t2", None, True, (1.0,)),
    ]


def test_the_latest_reading_is_by_event_time_then_by_arrival():
    late = reading("t1", 5.0, sequence=99)
    first, corrected = reading("t2", 1.0, sequence=1), reading("t2", 2.0, sequence=2)

    assert latest([corrected, late, first]) == {"TRK001": corrected}


def test_of_two_landings_of_one_record_the_first_is_the_one_that_counts():
    landings = [reading("t1", 1.0)._replace(load_timestamp=loaded) for loaded in ("l2", "l1", "l3")]

    assert {history(order)[0].load_timestamp for order in itertools.permutations(landings)} == {"l1"}


def test_a_version_was_loaded_when_the_reading_that_opens_it_was():
    opening, second = reading("t1", 1.0)._replace(load_timestamp="l2"), reading("t2", 1.0)._replace(load_timestamp="l1")

    assert [version.load_timestamp for version in history([second, opening])] == ["l2"]


def test_a_row_of_raw_is_a_reading_whose_sequence_number_is_a_number():
    row = {"TRUCK_ID": "TRK001", "EVENT_TIME": "t1", "ARRIVAL_TIME": "a1", "SEQUENCE_NUMBER": "10"}
    read = from_raw(row | {"LOAD_TIMESTAMP": "l1", "GPS_LATITUDE": 1.5})

    assert read == ArrivedReading("TRK001", "t1", "a1", 10, (1.5, *[None] * 20), "l1")


def test_its_attributes_are_those_of_the_contract():
    assert list(ATTRIBUTES) == [metric.name.upper() for metric in METRICS]
