"""Each guarantee holds over a right snapshot, and breaks when one thing in it differs."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest

from include import names
from include.local.demo.acceptance_report import guarantees
from include.local.demo.acceptance_report.guarantees import Guarantee, judge_guarantees
from include.local.demo.acceptance_report.snapshot import HeldRecord, QualityResult, Snapshot, StreamSnapshot

pytestmark = pytest.mark.unit

STRANGER = ("shardId-000000000001", "999")


def without_one(rows: set) -> set:
    return set(sorted(rows)[1:])


def of_clicks(change: Callable[[StreamSnapshot], StreamSnapshot]) -> Callable[[Snapshot], Snapshot]:
    return lambda snapshot: replace(snapshot, clicks=change(snapshot.clicks))


def of_telemetry(change: Callable[[StreamSnapshot], StreamSnapshot]) -> Callable[[Snapshot], Snapshot]:
    return lambda snapshot: replace(snapshot, telemetry=change(snapshot.telemetry))


def a_byte_of_the_archive_differs(stream: StreamSnapshot) -> StreamSnapshot:
    changed, record = next(iter(stream.archived.items()))
    other = msgspec.structs.replace(record, payload_base64=base64.b64encode(record.payload + b" ").decode())
    return replace(stream, archived={**stream.archived, changed: other})


def a_record_is_not_archived(stream: StreamSnapshot) -> StreamSnapshot:
    return replace(stream, archived=dict(list(stream.archived.items())[1:]))


def a_byte_of_the_quarantine_differs(stream: StreamSnapshot) -> StreamSnapshot:
    changed, held = next(iter(stream.quarantined.items()))
    return replace(stream, quarantined={changed: held._replace(payload=held.payload + b" ")})


def nothing_is_quarantined(stream: StreamSnapshot) -> StreamSnapshot:
    return replace(stream, quarantined={})


def a_record_nobody_sent_is_quarantined(stream: StreamSnapshot) -> StreamSnapshot:
    return replace(stream, quarantined={**stream.quarantined, STRANGER: HeldRecord("not_json", b"{")})


def a_record_is_quarantined_for_another_reason(stream: StreamSnapshot) -> StreamSnapshot:
    held = {place: record._replace(reason="missing") for place, record in stream.quarantined.items()}
    return replace(stream, quarantined=held)


def a_click_is_not_stored(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, click_rows=without_one(snapshot.click_rows))


def a_click_has_another_count(snapshot: Snapshot) -> Snapshot:
    row = min(snapshot.click_rows)
    return replace(snapshot, click_rows=snapshot.click_rows - {row} | {row._replace(click_counts=4)})


def a_click_has_another_key(snapshot: Snapshot) -> Snapshot:
    row = min(snapshot.click_rows)
    return replace(snapshot, click_rows=snapshot.click_rows - {row} | {row._replace(item_id="CAM003")})


def a_reading_is_not_loaded(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, raw=without_one(snapshot.raw))


def a_reading_nobody_sent_is_loaded(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, raw=snapshot.raw | {STRANGER})


def a_reading_is_not_landed(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, landed=without_one(snapshot.landed))


def a_version_is_missing(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, versions=snapshot.versions[1:])


def an_attribute_of_a_version_differs(snapshot: Snapshot) -> Snapshot:
    first, *others = snapshot.versions
    return replace(snapshot, versions=[first._replace(attributes=(1.0, *first.attributes[1:])), *others])


def a_version_is_stored_again(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, versions=[*snapshot.versions, snapshot.versions[0]])


def a_truck_has_two_current_rows(snapshot: Snapshot) -> Snapshot:
    first, *others = snapshot.versions
    return replace(snapshot, versions=[first._replace(end=None, is_current=True), *others])


def a_truck_state_is_older(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, truck_states=snapshot.truck_states | {"TRK001": snapshot.truck_states["TRK002"]})


def a_truck_has_no_state(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, truck_states={"TRK001": snapshot.truck_states["TRK001"]})


def an_hour_does_not_balance(snapshot: Snapshot) -> Snapshot:
    totals = snapshot.ledger[names.CLICK_STREAM]._replace(balanced_hours=0)
    return replace(snapshot, ledger={**snapshot.ledger, names.CLICK_STREAM: totals})


def the_ledger_counts_one_record_more(snapshot: Snapshot) -> Snapshot:
    totals = snapshot.ledger[names.TRUCK_STREAM]
    totals = totals._replace(counts={**totals.counts, "LANDED": totals.counts["LANDED"] + 1})
    return replace(snapshot, ledger={**snapshot.ledger, names.TRUCK_STREAM: totals})


def a_stream_is_not_in_the_ledger(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, ledger={names.CLICK_STREAM: snapshot.ledger[names.CLICK_STREAM]})


def the_ledger_is_empty(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, ledger={})


def a_rule_of_severity_fail_failed(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, quality=[*snapshot.quality, QualityResult("one_current", "fail", "fail", 1)])


def no_rule_warns(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, quality=[msgspec.structs.replace(each, status="pass") for each in snapshot.quality])


def no_rule_ran(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, quality=[])


# Which guarantees, by their place in the report, a change breaks.
CASES = [
    (a_click_is_not_stored, {0, 4, 7, 16}),
    (a_click_has_another_count, {7}),
    (a_click_has_another_key, {4, 7}),
    (a_reading_is_not_loaded, {1, 6, 8, 9, 16}),
    (a_reading_nobody_sent_is_loaded, {1, 6, 8, 9, 16}),
    (a_reading_is_not_landed, {9}),
    (of_clicks(a_byte_of_the_archive_differs), {2}),
    (of_telemetry(a_byte_of_the_archive_differs), {3}),
    (of_clicks(a_record_is_not_archived), {2, 16}),
    (of_telemetry(a_record_is_not_archived), {3, 6, 16}),
    (of_clicks(a_byte_of_the_quarantine_differs), {10}),
    (of_telemetry(a_byte_of_the_quarantine_differs), {11}),
    (of_clicks(nothing_is_quarantined), {0, 5, 10, 16, 18}),
    (of_telemetry(nothing_is_quarantined), {1, 6, 11, 16}),
    (of_clicks(a_record_nobody_sent_is_quarantined), {0, 5, 10, 16}),
    (a_version_is_missing, {12}),
    (an_attribute_of_a_version_differs, {12}),
    (a_version_is_stored_again, {13}),
    (a_truck_has_two_current_rows, {12, 14}),
    (a_truck_state_is_older, {15}),
    (a_truck_has_no_state, {15}),
    (an_hour_does_not_balance, {16}),
    (the_ledger_counts_one_record_more, {16}),
    (a_stream_is_not_in_the_ledger, {16}),
    (the_ledger_is_empty, {16}),
    (a_rule_of_severity_fail_failed, {17}),
    (no_rule_ran, {17, 19}),
    (no_rule_warns, {19}),
    (of_clicks(a_record_is_quarantined_for_another_reason), {18}),
    (of_telemetry(a_record_is_quarantined_for_another_reason), set()),
]


def test_every_guarantee_holds_over_a_right_snapshot(snapshot):
    judged = judge_guarantees(snapshot)

    assert len(judged) == 20
    assert [guarantee for guarantee in judged if not guarantee.holds] == []


@pytest.mark.parametrize(("change", "broken"), CASES)
def test_one_difference_breaks_the_guarantees_it_concerns_and_no_other(snapshot, change, broken):
    judged = judge_guarantees(change(snapshot))

    assert {place for place, guarantee in enumerate(judged) if not guarantee.holds} == broken


def test_each_guarantee_is_broken_by_some_case():
    assert set().union(*(broken for _, broken in CASES)) == set(range(20))


def test_a_verdict_says_what_was_found(snapshot):
    assert guarantees.clicks_are_conserved(snapshot) == Guarantee(
        "ClickDataStream: sent = landed + quarantined + duplicates", True, "4 = 2 + 1 + 1"
    )
    broken = guarantees.raw_is_exact(a_reading_nobody_sent_is_loaded(snapshot))
    assert broken.found == f"0 missing, 1 unexpected, for example {STRANGER}"
    assert guarantees.ledger_balances(the_ledger_is_empty(snapshot)).found == "the ledger is empty"


def test_a_record_from_the_field_that_ends_otherwise_is_named(snapshot):
    judged = guarantees.field_cases_end_as_expected(snapshot)
    broken = guarantees.field_cases_end_as_expected(of_clicks(nothing_is_quarantined)(snapshot))

    assert judged.found == "2 records of 2 cases: 1 accepted, 1 quarantined"
    assert broken.found == "cut_at_a_buffer is accepted, not not_json"


def test_a_probe_of_the_archive_is_expected_there_by_what_was_resolved(snapshot):
    clicks = snapshot.clicks
    probe = msgspec.structs.replace(next(iter(clicks.archived.values())), payload_base64="cHJvYmU=")
    probed = replace(clicks, archived={**clicks.archived, STRANGER: probe})

    assert not guarantees.archive_is_exact(probed).holds
    assert guarantees.archive_is_exact(replace(probed, resolved={STRANGER: HeldRecord("not_json", b"probe")})).holds


def test_where_nothing_was_sent_nothing_is_guaranteed(snapshot):
    empty = replace(snapshot, telemetry=replace(snapshot.telemetry, sent=[]), raw=set(), landed=set())

    assert guarantees.raw_is_exact(empty) == Guarantee(
        "RAW holds exactly the valid envelopes", False, "nothing was sent"
    )


def test_a_warning_of_data_quality_breaks_nothing(snapshot):
    assert [result.status for result in snapshot.quality] == ["pass", "warn"]
    assert guarantees.data_quality_passes(snapshot).found == "1 of 2 rules pass"


def test_a_record_that_the_manifest_calls_valid_and_is_not_is_an_error(snapshot):
    wrong = [msgspec.structs.replace(record, kind="valid") for record in snapshot.clicks.sent]

    with pytest.raises(ValueError, match="the manifest calls ClickDataStream"):
        guarantees.click_table_is_exact(replace(snapshot, clicks=replace(snapshot.clicks, sent=wrong)))
