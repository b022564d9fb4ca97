"""The catalogue of field cases, held against the contract."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from include import names
from include.contracts import ContractError, aggregates, decode_click, decode_reading
from include.contracts.times import to_canonical
from include.generator import payloads
from include.generator.catalogue import items
from include.generator.event_times import to_datetime
from include.generator.field_cases import FIELD_CASES, FieldEvent, cases_of
from include.generator.traffic import State, Traffic, TrafficPlan
from include.generator.trucks import FleetSimulation
from include.quality import rules

pytestmark = pytest.mark.unit

AT = 1_790_000_000_123_456
TIME = to_canonical(to_datetime(AT))
VALUES = FleetSimulation(1, 1, AT).reading(0, AT)[1]


def _click():
    return payloads.click_document(items(1)[0], TIME, 3)


def _upper():
    return payloads.flat_document("TRK001", TIME, VALUES, upper=True)


def _lower():
    return payloads.flat_document("TRK001", TIME, VALUES, upper=False)


def _nested():
    return payloads.nested_document("TRK001", TIME, VALUES)


SHAPES = [
    ("clicks", _click, "MOB001"),
    ("readings", _upper, "TRK001"),
    ("readings", _lower, "TRK001"),
    ("readings", _nested, "TRK001"),
]


def _verdict(source, data, now):
    """(reason or None, the event's id and time)."""
    try:
        if source == "clicks":
            click = decode_click(data, now=now)
            return None, (click.item_id, click.timestamp)
        reading = decode_reading(data, now=now)
    except ContractError as error:
        return error.reason, None
    return None, (reading.truck_id, reading.event_time)


@pytest.mark.parametrize(("source", "document", "identity"), SHAPES)
def test_the_contract_judges_every_case_as_the_catalogue_says(source, document, identity):
    for case in cases_of(source):
        for seed in range(5):
            event = FieldEvent(document(), identity, AT, random.Random(seed))
            data = case.make(event)
            reason, found = _verdict(source, data, to_datetime(AT))
            assert reason == case.reason, case.name
            if reason is None:
                assert found == (event.identity, event.time), case.name


def test_a_replay_years_later_judges_every_case_alike_but_the_local_time_that_has_come():
    later = datetime(2040, 1, 1, tzinfo=UTC)
    changed = {
        case.name
        for source, document, identity in SHAPES
        for case in cases_of(source)
        if _verdict(source, case.make(FieldEvent(document(), identity, AT, random.Random(1))), later)[0] != case.reason
    }
    assert changed == {"local_time_without_offset"}


@pytest.mark.parametrize("source", ["clicks", "readings"])
def test_both_streams_see_accepted_and_quarantined_cases_passing_and_lasting(source):
    assert {case.reason is None for case in cases_of(source)} == {True, False}
    assert {case.passes for case in cases_of(source)} == {True, False}
    assert all(case.passes for case in cases_of(source, "passing"))
    assert len(cases_of(source)) == len({case.name for case in cases_of(source)}) > 30


def test_every_rule_that_a_case_names_exists():
    known = {rule.name for rule in rules()}
    assert {rule for case in FIELD_CASES.values() for rule in case.warned_by} <= known


PLAN = TrafficPlan(
    clicks=2000, readings=2000, clicks_per_second=500, readings_per_second=500, field=0.1, duplicated=0.1, nested=0.2
)


@pytest.fixture(scope="module")
def records():
    return list(Traffic(PLAN, AT, State()))


def test_the_share_is_exact_and_every_case_is_sent(records):
    for stream, source in ((names.CLICK_STREAM, "clicks"), (names.TRUCK_STREAM, "readings")):
        sent = Counter(record.field_case for record in records if record.stream == stream and record.field_case)
        lasting = {case.name for case in cases_of(source) if case.lasts > 1}
        assert 200 - 3 * len(lasting) <= sum(sent[name] for name in sent.keys() - lasting) < 200
        assert set(sent) == {case.name for case in cases_of(source)}


def test_field_traffic_is_as_the_plan_says_and_its_keys_are_used_once(records):
    assert list(Traffic(PLAN, AT, State())) == records
    events = [event for record in records for event in record.parts or (record,)]
    keys = [(event.stream, event.key) for event in events if event.kind == "valid"]
    assert len(keys) == len(set(keys))
    for record in events:
        source = "clicks" if record.stream == names.CLICK_STREAM else "readings"
        reason, found = _verdict(source, record.data, to_datetime(record.due) + timedelta(milliseconds=1))
        assert record.expected_reason == reason, record.field_case
        assert (record.kind == "malformed") == (reason is not None), record.field_case
        if record.key:
            assert found == (record.key if source == "readings" else record.key[::-1])
            assert record.partition_key == found[0]


def test_a_stuck_sensor_repeats_its_value_while_the_truck_drives(records):
    stuck = [decode_reading(r.data, now=to_datetime(r.due)) for r in records if r.field_case == "stuck_sensor"]
    of_one = [reading for reading in stuck if reading.truck_id == stuck[0].truck_id]
    assert len(of_one) > 20
    assert len({reading.environment_humidity for reading in of_one}) < 3 < len({r.gps_latitude for r in of_one})


def test_a_robot_clicks_one_item_many_times_in_a_row(records):
    robot = [decode_click(r.data, now=to_datetime(r.due)) for r in records if r.field_case == "robot"]
    first = robot[:30]
    assert {(click.item_id, click.click_counts) for click in first} == {(first[0].item_id, 1)}
    assert len({click.timestamp for click in first}) == 30


def test_an_aggregated_record_holds_the_events_of_its_parts(records):
    aggregated = [record for record in records if record.parts]
    assert {record.field_case for record in aggregated} == {"aggregate", "aggregate_with_one_bad_event"}
    for record in aggregated:
        held = aggregates.user_records(record.data)
        assert held == [(part.partition_key, part.data) for part in record.parts]
        assert {part.field_case for part in record.parts} == {record.field_case}


def test_traffic_that_runs_on_and_on_leaves_out_what_does_not_pass():
    plan = TrafficPlan(clicks=300, readings=300, field=0.5, field_cases="passing")
    sent = {record.field_case for record in Traffic(plan, AT, State()) if record.field_case}
    assert all(FIELD_CASES[name].passes for name in sent)


def test_traffic_without_a_share_from_the_field_is_what_it_was():
    plan = TrafficPlan(clicks=100, readings=100, malformed=0.1, duplicated=0.1)
    assert not any(record.field_case for record in Traffic(plan, AT, State()))


def test_an_unknown_selection_is_refused_by_name():
    with pytest.raises(ValueError, match="field_cases must be one of passing, all"):
        TrafficPlan(field_cases="some")
