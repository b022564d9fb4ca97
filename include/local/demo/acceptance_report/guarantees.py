"""The guarantees that a run of the demo must keep, each judged over a snapshot by one function."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

import msgspec

from include import names
from include.contracts import METRICS, ContractError, decode_click, decode_reading, times
from include.contracts.envelope import numbered
from include.generator.manifest import ManifestRecord
from include.local.demo.acceptance_report.snapshot import ClickRow, HeldRecord, RecordId, Snapshot, StreamSnapshot
from sql.merge.history_oracle import ArrivedReading, history, latest

Decoded = TypeVar("Decoded")


class Guarantee(msgspec.Struct, frozen=True):
    """One guarantee, whether it holds, and what was found."""

    text: str
    holds: bool
    found: str


def judge_guarantees(snapshot: Snapshot) -> list[Guarantee]:
    """Judge every guarantee, in the order of the report."""
    clicks, telemetry = snapshot.clicks, snapshot.telemetry
    return [
        clicks_are_conserved(snapshot),
        readings_are_conserved(snapshot),
        archive_is_exact(clicks),
        archive_is_exact(telemetry),
        archived_clicks_are_stored(snapshot),
        archived_invalid_clicks_are_quarantined(snapshot),
        archived_readings_are_loaded_or_quarantined(snapshot),
        click_table_is_exact(snapshot),
        raw_is_exact(snapshot),
        landing_zone_equals_raw(snapshot),
        quarantine_is_exact(clicks),
        quarantine_is_exact(telemetry),
        history_is_exact(snapshot),
        no_version_is_stored_twice(snapshot),
        every_truck_has_one_current_row(snapshot),
        truck_states_are_newest(snapshot),
        ledger_balances(snapshot),
        data_quality_passes(snapshot),
        field_cases_end_as_expected(snapshot),
        rules_warn_of_field_cases(snapshot),
    ]


# --- Conservation ----------------------------------------------------------------------------------------------------


def clicks_are_conserved(snapshot: Snapshot) -> Guarantee:
    """A click sent twice is two records and one row."""
    stream = snapshot.clicks
    sent, duplicates = len(stream.sent), len(stream.sent_as("duplicate"))
    landed, quarantined = len(snapshot.click_rows), len(stream.quarantined)
    return Guarantee(
        f"{stream.name}: sent = landed + quarantined + duplicates",
        sent == landed + quarantined + duplicates,
        f"{sent:,} = {landed:,} + {quarantined:,} + {duplicates:,}",
    )


def readings_are_conserved(snapshot: Snapshot) -> Guarantee:
    """A reading sent twice is two records, and both land."""
    stream = snapshot.telemetry
    sent, landed, quarantined = len(stream.sent), len(snapshot.raw), len(stream.quarantined)
    return Guarantee(
        f"{stream.name}: sent = landed + quarantined",
        sent == landed + quarantined,
        f"{sent:,} = {landed:,} + {quarantined:,}",
    )


# --- The archive -----------------------------------------------------------------------------------------------------


def archive_is_exact(stream: StreamSnapshot) -> Guarantee:
    sent = {_id(record): record.payload for record in stream.sent}
    resolved = {record_id: held.payload for record_id, held in stream.resolved.items()}
    archived = {record_id: record.payload for record_id, record in stream.archived.items()}
    return _compare(
        f"the archive holds exactly {stream.name}'s records, byte for byte",
        (sent | resolved).items(),
        archived.items(),
    )


def archived_clicks_are_stored(snapshot: Snapshot) -> Guarantee:
    valid, _ = _judge_archived_clicks(snapshot.clicks)
    return _compare(
        f"{names.CLICK_STREAM}: the archive's valid clicks = {names.CLICK_TABLE}",
        valid,
        {(row.timestamp, row.item_id) for row in snapshot.click_rows},
    )


def archived_invalid_clicks_are_quarantined(snapshot: Snapshot) -> Guarantee:
    _, invalid = _judge_archived_clicks(snapshot.clicks)
    return _compare(
        f"{names.CLICK_STREAM}: the archive's invalid records = quarantined",
        invalid,
        snapshot.clicks.quarantined.keys() | snapshot.clicks.resolved.keys(),
    )


def archived_readings_are_loaded_or_quarantined(snapshot: Snapshot) -> Guarantee:
    stream = snapshot.telemetry
    return _compare(
        f"{names.TRUCK_STREAM}: archived = in RAW + quarantined",
        stream.archived,
        snapshot.raw | stream.quarantined.keys() | stream.resolved.keys(),
    )


def _judge_archived_clicks(stream: StreamSnapshot) -> tuple[set[tuple[str, str]], set[RecordId]]:
    """Keys of the valid clicks, ids of the other records; each is judged as of its arrival."""
    keys, invalid = set(), set()
    for record_id, record in stream.archived.items():
        try:
            click = decode_click(record.payload, now=times.parse(record.arrival_time))
        except ContractError:
            invalid.add(record_id)
        else:
            keys.add((click.row_timestamp, click.item_id))
    return keys, invalid


# --- The stores ------------------------------------------------------------------------------------------------------


def click_table_is_exact(snapshot: Snapshot) -> Guarantee:
    expected = {_click(record) for record in snapshot.clicks.sent_as("valid")}
    return _compare(f"{names.CLICK_TABLE} holds exactly the valid clicks", expected, snapshot.click_rows)


def raw_is_exact(snapshot: Snapshot) -> Guarantee:
    expected = {_id(record) for record in snapshot.telemetry.sent_as("valid", "duplicate")}
    return _compare("RAW holds exactly the valid envelopes", expected, snapshot.raw)


def landing_zone_equals_raw(snapshot: Snapshot) -> Guarantee:
    return _compare("the landing zone holds the same envelopes as RAW", snapshot.raw, snapshot.landed)


def quarantine_is_exact(stream: StreamSnapshot) -> Guarantee:
    malformed = {_id(record): record.payload for record in stream.sent_as("malformed")}
    quarantined = {record_id: held.payload for record_id, held in stream.quarantined.items()}
    return _compare(
        f"quarantine holds exactly {stream.name}'s malformed records, byte for byte",
        malformed.items(),
        quarantined.items(),
    )


def field_cases_end_as_expected(snapshot: Snapshot) -> Guarantee:
    """A record from the field is accepted, or quarantined for the reason that its case names."""
    cases = [record for stream in snapshot.streams for record in stream.sent if record.field_case]
    quarantined = {stream.name: stream.quarantined for stream in snapshot.streams}
    surprises = [
        f"{record.field_case} is {reason or 'accepted'}, not {record.expected_reason or 'accepted'}"
        for record in cases
        if (reason := _reason(quarantined[record.stream].get(_id(record)))) != record.expected_reason
    ]
    accepted = sum(record.expected_reason is None for record in cases)
    kinds = len({record.field_case for record in cases})
    found = f"{len(cases):,} records of {kinds} cases: {accepted:,} accepted, {len(cases) - accepted:,} quarantined"
    return Guarantee("records from the field end as their case says", not surprises, ", ".join(surprises[:3]) or found)


def _reason(held: HeldRecord | None) -> str | None:
    return held.reason if held else None


# --- The history -----------------------------------------------------------------------------------------------------


def history_is_exact(snapshot: Snapshot) -> Guarantee:
    expected = history(_sent_readings(snapshot))
    return _compare("the history equals its recomputation from the manifest", expected, snapshot.versions)


def no_version_is_stored_twice(snapshot: Snapshot) -> Guarantee:
    versions = snapshot.versions
    return Guarantee("no version is stored twice", len(versions) == len(set(versions)), f"{len(versions):,} rows")


def every_truck_has_one_current_row(snapshot: Snapshot) -> Guarantee:
    fleet = {reading.truck_id for reading in _sent_readings(snapshot)}
    current = Counter(version.truck_id for version in snapshot.versions if version.is_current)
    return _compare("every truck has exactly one current row", dict.fromkeys(fleet, 1).items(), current.items())


def truck_states_are_newest(snapshot: Snapshot) -> Guarantee:
    newest = {truck: reading.event_time for truck, reading in latest(_sent_readings(snapshot)).items()}
    return _compare(
        f"{names.TRUCK_STATE_TABLE} holds each truck's newest reading", newest.items(), snapshot.truck_states.items()
    )


def _sent_readings(snapshot: Snapshot) -> list[ArrivedReading]:
    return [_reading(record) for record in snapshot.telemetry.sent_as("valid", "duplicate")]


# --- The checks that run in the pipeline -----------------------------------------------------------------------------


def ledger_balances(snapshot: Snapshot) -> Guarantee:
    expected = {stream.name: _expected_counts(stream, snapshot) for stream in snapshot.streams}
    holds = snapshot.ledger.keys() == expected.keys() and all(
        totals.hours == totals.balanced_hours and totals.counts == expected[stream]
        for stream, totals in snapshot.ledger.items()
    )
    found = "; ".join(
        f"{stream}, {totals.balanced_hours} of {totals.hours} hours balance: "
        + ", ".join(f"{name.lower()} {count:,} of {expected[stream][name]:,}" for name, count in totals.counts.items())
        for stream, totals in snapshot.ledger.items()
    )
    return Guarantee("the ledger balances, and counts what the stores hold", holds, found or "the ledger is empty")


def _expected_counts(stream: StreamSnapshot, snapshot: Snapshot) -> dict[str, int]:
    is_clicks = stream.name == names.CLICK_STREAM
    return {
        "ARCHIVED": len(stream.archived),
        "LANDED": len(snapshot.click_rows) if is_clicks else len(snapshot.raw),
        "QUARANTINED": len(stream.quarantined),
        "RESOLVED": len(stream.resolved),
        "COVERED": 0 if is_clicks else len(snapshot.raw),
    }


def data_quality_passes(snapshot: Snapshot) -> Guarantee:
    results = snapshot.quality
    failed = [result for result in results if result.severity == "fail" and result.status != "pass"]
    return Guarantee(
        "data quality ran and no rule of severity 'fail' found anything",
        bool(results) and not failed,
        f"{sum(result.status == 'pass' for result in results)} of {len(results)} rules pass",
    )


def rules_warn_of_field_cases(snapshot: Snapshot) -> Guarantee:
    """A warning is not lost: every rule that records from the field must trip has found something.

    One record is not enough: it can be the first of its truck, with nothing before it to compare with.
    """
    tripped = Counter(rule for stream in snapshot.streams for record in stream.sent for rule in record.warned_by)
    due = {rule for rule, records in tripped.items() if records > 1}
    silent = sorted(due - {result.rule for result in snapshot.quality if result.status != "pass"})
    found = f"{len(due)} rules warn" if due else "no such record was sent"
    return Guarantee(
        "data quality warns of the odd records from the field",
        not silent,
        f"silent: {', '.join(silent)}" if silent else found,
    )


# --- What all of them use --------------------------------------------------------------------------------------------


def _compare(text: str, expected: Iterable[Hashable], found: Iterable[Hashable]) -> Guarantee:
    """Hold where both are equal as sets, and something was expected at all."""
    wanted, there = set(expected), set(found)
    missing, unexpected = wanted - there, there - wanted
    if not missing and not unexpected:
        return Guarantee(text, bool(wanted), f"{len(wanted):,} equal" if wanted else "nothing was sent")
    example = next(iter(missing or unexpected))
    return Guarantee(
        text, False, f"{len(missing):,} missing, {len(unexpected):,} unexpected, for example {str(example)[:120]}"
    )


def _id(record: ManifestRecord) -> RecordId:
    return record.shard_id, numbered(record.sequence_number, record.sub_sequence_number)


def _click(record: ManifestRecord) -> ClickRow:
    click = _decode(decode_click, record)
    return ClickRow(click.row_timestamp, click.item_id, click.item_name, click.click_counts)


def _reading(record: ManifestRecord) -> ArrivedReading:
    # All of a truck's readings are on one shard, where sequence numbers follow the arrival.
    reading = _decode(decode_reading, record)
    attributes = tuple(getattr(reading, metric.name) for metric in METRICS)
    number, position = int(record.sequence_number), record.sub_sequence_number
    return ArrivedReading(reading.truck_id, reading.event_time, "", number, attributes, sub_sequence_number=position)


def _decode(decode: Callable[..., Decoded], record: ManifestRecord) -> Decoded:
    try:
        return decode(record.payload, now=times.parse(record.sent_at))
    except ContractError as error:
        raise ValueError(
            f"the manifest calls {record.stream} {record.sequence_number} {record.kind}: {error}"
        ) from error
