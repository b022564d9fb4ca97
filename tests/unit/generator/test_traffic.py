import json
from collections import Counter
from datetime import timedelta

import msgspec
import pytest

from include.contracts import ContractError, decode_click, decode_reading
from include.contracts.times import parse
from include.generator.event_times import to_datetime
from include.generator.payloads import MALFORMED, MAX_RECORD_BYTES
from include.generator.traffic import State, Traffic, TrafficPlan

pytestmark = pytest.mark.unit

START = 1_790_000_000_123_456
MIXED = {"duplicated": 0.05, "late": 0.05, "out_of_order": 0.05, "malformed": 0.03, "nested": 0.2}
PLAN = TrafficPlan(clicks=2000, readings=2000, clicks_per_second=100, readings_per_second=50, **MIXED)


@pytest.fixture(scope="module")
def records():
    return list(Traffic(PLAN, START, State()))


def _decode(record):
    decode = decode_click if record.stream == PLAN.click_stream else decode_reading
    return decode(record.data, now=to_datetime(record.due))


def test_the_same_plan_start_and_state_give_the_same_records(records):
    assert list(Traffic(PLAN, START, State())) == records


def test_another_seed_gives_other_records(records):
    plan = TrafficPlan(clicks=2000, readings=2000, clicks_per_second=100, readings_per_second=50, seed=2, **MIXED)
    assert list(Traffic(plan, START, State())) != records


def test_shares_are_exact(records):
    for stream in (PLAN.click_stream, PLAN.truck_stream):
        of_stream = [record for record in records if record.stream == stream]
        kinds = Counter(record.kind for record in of_stream)
        assert kinds == {"valid": 1840, "duplicate": 100, "malformed": 60}
        assert sum(record.late for record in of_stream if record.kind == "valid") == 100
        assert sum(record.out_of_order for record in of_stream if record.kind == "valid") == 100
    nested = sum(record.shape == "nested" for record in records)
    assert 350 < nested < 450


def test_records_are_due_in_order_and_at_the_asked_pace(records):
    due = [record.due for record in records]
    assert due == sorted(due)
    clicks = [record.due for record in records if record.stream == PLAN.click_stream]
    readings = [record.due for record in records if record.stream == PLAN.truck_stream]
    assert clicks[-1] - clicks[0] == 1999 * 10_000
    assert readings[-1] - readings[0] == 1999 * 20_000


def test_the_contract_rejects_every_malformed_record_and_accepts_every_other(records):
    for record in records:
        if record.kind == "malformed":
            with pytest.raises(ContractError):
                _decode(record)
        else:
            event = _decode(record)
            identity = (
                (event.row_timestamp, event.item_id)
                if record.stream == PLAN.click_stream
                else (event.truck_id, event.event_time)
            )
            assert identity == record.key


def test_every_kind_of_malformed_record_is_sent_and_the_megabyte_once_a_stream(records):
    for stream in (PLAN.click_stream, PLAN.truck_stream):
        kinds = Counter(
            record.malformed_kind for record in records if record.stream == stream and record.malformed_kind
        )
        assert set(kinds) == set(MALFORMED)
        assert kinds["megabyte_noise"] == 1


def test_the_biggest_record_is_as_big_as_kinesis_takes(records):
    sizes = [len(record.data) + len(record.partition_key.encode()) for record in records]
    assert max(sizes) == MAX_RECORD_BYTES


def test_duplicates_repeat_the_bytes_and_key_of_an_earlier_valid_record(records):
    sent = {}
    for record in records:
        if record.kind == "duplicate":
            assert sent[record.stream, record.key] == (record.data, record.partition_key)
        elif record.kind == "valid":
            sent[record.stream, record.key] = (record.data, record.partition_key)


def test_a_share_of_the_clicks_has_an_event_id_and_a_coarse_clock_and_the_rest_is_unchanged(records):
    named = list(Traffic(msgspec.structs.replace(PLAN, event_ids=0.5), START, State()))
    changed = [(one, other) for one, other in zip(records, named, strict=True) if one != other]
    assert {one.stream for one, _ in changed} == {PLAN.click_stream}
    assert {one.kind for one, _ in changed} == {"valid", "duplicate"}
    clicks = [_decode(other) for _, other in changed]
    assert all(click.event_id and click.timestamp.endswith("000") for click in clicks)
    kept = {(record.data, record.key) for _, record in changed if record.kind == "valid"}
    assert {(record.data, record.key) for _, record in changed} == kept
    valid = [record for record in named if record.stream == PLAN.click_stream and record.kind == "valid"]
    assert 0.45 < len(kept) / len(valid) < 0.55
    assert len({record.key for record in valid}) == len(valid)


def test_event_ids_keep_clicks_of_one_millisecond_apart():
    plan = TrafficPlan(clicks=2000, clicks_per_second=15_625, items=1, event_ids=1.0)
    records = list(Traffic(plan, START, State()))
    assert len({_decode(record).timestamp for record in records}) < 200
    assert len({record.key for record in records}) == 2000


def test_no_event_but_a_duplicate_repeats_a_key(records):
    keys = [(record.stream, record.key) for record in records if record.kind == "valid"]
    assert len(keys) == len(set(keys))


def test_events_happen_when_they_are_sent_or_minutes_or_seconds_before(records):
    for record in records:
        if record.kind != "valid":
            continue
        event = _decode(record)
        time = parse(event.timestamp if record.stream == PLAN.click_stream else event.event_time)
        age = to_datetime(record.due) - time
        if record.late:
            assert timedelta(seconds=59) < age < timedelta(minutes=20, seconds=1)
        elif record.out_of_order:
            assert timedelta(seconds=0.9) < age < timedelta(seconds=32)
        else:
            assert timedelta(milliseconds=-1) < age < timedelta(milliseconds=1)


def test_displaced_readings_come_after_younger_ones_of_their_truck(records):
    newest = {}
    displaced = 0
    for record in records:
        if record.stream != PLAN.truck_stream or record.kind != "valid":
            continue
        truck, time = record.key
        if (record.late or record.out_of_order) and truck in newest:
            displaced += time < newest[truck]
        newest[truck] = max(newest.get(truck, ""), time)
    assert displaced > 180


def test_odometers_never_go_back_in_the_order_of_event_time(records):
    courses = {}
    for record in records:
        if record.stream == PLAN.truck_stream and record.kind == "valid":
            reading = _decode(record)
            courses.setdefault(reading.truck_id, []).append((reading.event_time, reading.odometer_reading))
    assert set(courses) == {"TRK001", "TRK002", "TRK003"}
    for course in courses.values():
        odometer = [miles for _, miles in sorted(course)]
        assert odometer == sorted(odometer)


def test_trucks_and_items_are_the_partition_keys(records):
    assert {r.partition_key for r in records if r.stream == PLAN.truck_stream} == {"TRK001", "TRK002", "TRK003"}
    assert {r.partition_key for r in records if r.stream == PLAN.click_stream} == {"MOB001", "LAP002", "CAM003"}


def test_both_cases_of_the_flat_shape_are_sent(records):
    flat = [
        json.loads(r.data) for r in records if r.stream == PLAN.truck_stream and r.kind == "valid" and r.shape == "flat"
    ]
    assert any("TRUCK_ID" in document for document in flat)
    assert any("truck_id" in document for document in flat)


@pytest.mark.parametrize(
    "gap", [-30_000_000, 0, 1, 60_000_000], ids=["clock_set_back", "at_once", "next_µs", "a_minute"]
)
def test_successive_runs_reuse_no_key_and_no_odometer_goes_back(gap):
    plan = TrafficPlan(clicks=600, readings=600, clicks_per_second=15_625, readings_per_second=20, **MIXED)
    state, start, keys, course = State(), START, set(), []
    for _ in range(3):
        traffic = Traffic(plan, start, state)
        for record in traffic:
            if record.kind == "valid":
                assert (record.stream, record.key) not in keys
                keys.add((record.stream, record.key))
                if record.stream == plan.truck_stream and record.key[0] == "TRK001":
                    reading = decode_reading(record.data, now=to_datetime(record.due + 60_000_000))
                    course.append((reading.event_time, reading.odometer_reading))
        state = traffic.state()
        start = record.due + gap
    odometer = [miles for _, miles in sorted(course)]
    assert odometer == sorted(odometer)


def test_trucks_without_a_part_in_a_run_are_kept_for_the_next():
    whole = Traffic(TrafficPlan(readings=10, trucks=5), START, State())
    list(whole)
    part = Traffic(TrafficPlan(readings=10, trucks=2), START + 60_000_000, whole.state())
    list(part)
    assert set(part.state().trucks) == {"TRK001", "TRK002", "TRK003", "TRK004", "TRK005"}


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_a_handful_of_records_works_with_every_share(count):
    plan = TrafficPlan(clicks=count, readings=count, duplicated=0.5, malformed=0.4, late=0.1, nested=1.0)
    assert len(list(Traffic(plan, START, State()))) == 2 * count


def test_all_malformed_is_possible():
    records = list(Traffic(TrafficPlan(clicks=20, malformed=1.0), START, State()))
    assert {record.kind for record in records} == {"malformed"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("clicks", -1), ("readings", -1), ("seed", -1), ("trucks", 0), ("items", 0), ("clicks_per_second", 0),
        ("readings_per_second", -5), ("clicks_per_second", 15_626), ("late", 1.01), ("malformed", -0.1),
        ("nested", float("nan")), ("duplicated", 1.0),
    ],
)  # fmt: skip
def test_an_impossible_plan_names_the_field(field, value):
    with pytest.raises(ValueError, match=field):
        TrafficPlan(**{field: value})


def test_shares_that_add_up_to_more_than_all_are_refused():
    with pytest.raises(ValueError, match="add up"):
        TrafficPlan(late=0.6, out_of_order=0.5)
