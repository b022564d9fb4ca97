"""The ledger's statements: the readings of an hour with their state in the history, and its own table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from include import names, sql
from include.contracts.envelope import numbered
from include.ledger import Balance
from include.ledger.ledger_table import ledger_rows, record_alerts, store_balance
from include.ledger.raw_readings import nulled_readings
from sql.merge.history_oracle import ATTRIBUTES

pytestmark = pytest.mark.sql

HOUR = datetime(2026, 11, 22, 10)  # noqa: DTZ001  A TIMESTAMP_NTZ: UTC by convention.
HERE = HOUR.replace(tzinfo=UTC)


def reading(number, speed=1.0, *, arrives=None, truck="TRK001", sequence=None, line=None, position=None):
    """An event of second ``number``, which arrives in that second too unless ``arrives`` is given."""
    return dict.fromkeys(ATTRIBUTES) | {
        "TRUCK_ID": truck,
        "EVENT_TIME": HOUR + timedelta(seconds=number),
        "ARRIVAL_TIME": HOUR + timedelta(seconds=number if arrives is None else arrives),
        "SEQUENCE_NUMBER": str(sequence or 1000 + number),
        "SUB_SEQUENCE_NUMBER": position,
        "VEHICLE_SPEED": speed,
        "FILE_NAME": "telemetry-data/1.json.gz",
        "FILE_ROW_NUMBER": line or sequence or 1000 + number,
        "LOAD_TIMESTAMP": HOUR + timedelta(minutes=1, seconds=number),
    }


def states(snowflake):
    """Number (Envelope.number) -> state, for the readings that arrived in the hour."""
    bounds = {"since": HOUR.isoformat(), "until": (HOUR + timedelta(hours=1)).isoformat()}
    ((earliest,),) = snowflake.execute(sql.render("ledger/earliest_of_hour.sql"), bounds)
    rows = snowflake.execute(sql.render("ledger/readings_of_hour.sql"), bounds | {"earliest": earliest.isoformat()})
    assert len({row[:3] for row in rows}) == len(rows)
    return {numbered(row[1], row[2]): row[6] for row in rows}


def test_merged_readings_are_covered_whether_they_open_a_version_or_not(empty_snowflake):
    empty_snowflake.land(
        [reading(0), reading(1), reading(2, 2.0), reading(3, None), reading(0, truck="TRK002", sequence=9)]
    )
    empty_snowflake.merge()
    assert states(empty_snowflake) == dict.fromkeys(["1000", "1001", "1002", "1003", "9"], "covered")


def test_only_what_arrived_in_the_hour_counts_however_late_its_event_is(empty_snowflake):
    late = reading(-3 * 3600, arrives=5, sequence=1)
    empty_snowflake.land([reading(-1), late, reading(3599), reading(3600)])
    empty_snowflake.merge()
    assert states(empty_snowflake) == {"1": "covered", "4599": "covered"}


def test_an_envelope_that_landed_twice_is_one(empty_snowflake):
    empty_snowflake.land([reading(0), reading(0, line=2), reading(1)])
    empty_snowflake.merge()
    assert states(empty_snowflake) == {"1000": "covered", "1001": "covered"}


def test_readings_of_an_aggregate_are_told_apart(empty_snowflake):
    first, second, third = (
        reading(second, speed, sequence=7, line=1 + position, position=position or None)
        for position, (second, speed) in enumerate(((0, 1.0), (0, 2.0), (1, 1.0)))
    )
    empty_snowflake.land([first, second])
    empty_snowflake.merge()
    assert [version.attributes[4] for version in empty_snowflake.history()] == [2.0]
    empty_snowflake.land([third, second])
    # The one that was merged before waits again, as any envelope that lands twice.
    assert states(empty_snowflake) == {"7": "covered", "7.1": "covered", "7.2": "waiting"}


def test_what_the_stream_still_has_is_waiting_and_is_not_consumed_by_asking(empty_snowflake):
    empty_snowflake.land([reading(0)])
    empty_snowflake.merge()
    empty_snowflake.land([reading(1, 2.0), reading(2, 3.0)])
    for _ in range(2):
        assert states(empty_snowflake) == {"1000": "covered", "1001": "waiting", "1002": "waiting"}
    empty_snowflake.merge()
    assert set(states(empty_snowflake).values()) == {"covered"}


def test_a_reading_that_another_one_of_its_instant_superseded_is_covered_also_before_the_merge(empty_snowflake):
    empty_snowflake.land([reading(0), reading(1, 5.0)])
    empty_snowflake.merge()
    empty_snowflake.land([reading(1, 7.0, arrives=4000, sequence=5000)])
    assert states(empty_snowflake) == {"1000": "covered", "1001": "covered"}
    empty_snowflake.merge()
    assert states(empty_snowflake) == {"1000": "covered", "1001": "covered"}


@pytest.mark.parametrize(
    ("damage", "uncovered"),
    [
        ("delete from {history} where VEHICLE_SPEED = 2", {"1002", "1003"}),
        ("update {history} set VEHICLE_SPEED = 9 where VEHICLE_SPEED = 2", {"1002", "1003"}),
        ("update {history} set BRAKE_STATUS = 'Good' where IS_CURRENT", {"1004"}),
        # A gap: the version ends before the next one begins.
        (
            "update {history} set EFFECTIVE_END_DATE = dateadd('second', -1, EFFECTIVE_END_DATE)"
            " where VEHICLE_SPEED = 2",
            {"1003"},
        ),
        (
            "update {history} set EFFECTIVE_START_DATE = dateadd('second', 1, EFFECTIVE_START_DATE)"
            " where VEHICLE_SPEED = 1",
            {"1000"},
        ),
        ("delete from {history}", {"1000", "1001", "1002", "1003", "1004"}),
    ],
    ids=["version_lost", "attribute_changed", "null_filled", "gap", "start_moved", "nothing_left"],
)  # fmt: skip
def test_what_no_version_has_is_uncovered(empty_snowflake, damage, uncovered):
    empty_snowflake.land([reading(0), reading(1), reading(2, 2.0), reading(3, 2.0), reading(4, 3.0)])
    empty_snowflake.merge()
    empty_snowflake.execute(damage.format(history=names.HISTORY_TABLE))
    assert {number for number, state in states(empty_snowflake).items() if state == "uncovered"} == uncovered


def test_readings_with_a_nulled_metric_are_counted_once_by_arrival(empty_snowflake):
    nulled = {"NULLED_METRICS": '{"gps_latitude": "-200"}'}
    aggregated = [reading(2, truck=f"TRK{number}") | nulled | {"SUB_SEQUENCE_NUMBER": number} for number in (1, 2)]
    empty_snowflake.land([reading(0) | nulled, reading(0, line=2) | nulled, reading(1), *aggregated])
    empty_snowflake.land([reading(3600) | nulled])
    assert nulled_readings(empty_snowflake.connection, HERE) == 3
    assert nulled_readings(empty_snowflake.connection, HERE - timedelta(hours=1)) == 0


def test_an_hour_that_is_stored_again_overwrites_its_row_and_leaves_the_others(snowflake):
    snowflake.execute(f"delete from {names.LEDGER_TABLE}")
    connection = snowflake.connection
    checked = datetime(2026, 11, 22, 12, 20, 0, 250000, tzinfo=UTC)
    lost = Balance(
        stream=names.TRUCK_STREAM, hour=HERE, is_open=False, archived=3, landed=1, missing=2, not_loaded=1, waiting=1,
        samples={"missing": ["it's shard-0 1", "a % of"]}, nulled=1,
    )  # fmt: skip
    healthy = Balance(stream=names.TRUCK_STREAM, hour=HERE, is_open=False, archived=3, landed=3, covered=3)
    store_balance(connection, lost, "run 1", checked)
    store_balance(connection, Balance(stream=names.CLICK_STREAM, hour=HERE, is_open=True), "run 1", checked)
    row = ledger_rows(connection, names.TRUCK_STREAM)[HERE]
    assert (row.is_open, row.balanced, row.waiting, row.checked_at, row.alerted) == (False, False, 1, checked, None)
    record_alerts(connection, "run 1", [lost], [])
    connection.autocommit(True)
    known = {"missing": 2, "unexpected": 0, "conflicts": 0, "overdue": 0, "uncovered": 0}
    assert ledger_rows(connection, names.TRUCK_STREAM)[HERE].alerted == known
    details = f"select ARCHIVED, NULLED, DETAILS from {names.LEDGER_TABLE} where STREAM_NAME = '{names.TRUCK_STREAM}'"
    assert snowflake.execute(details) == [(3, 1, """{"missing":["it's shard-0 1","a % of"]}""")]

    store_balance(connection, healthy, "run 2", checked)
    row = ledger_rows(connection, names.TRUCK_STREAM)[HERE]
    assert (row.balanced, row.alerted) == (True, known)
    record_alerts(connection, "run 2", [healthy], [])
    connection.autocommit(True)
    assert ledger_rows(connection, names.TRUCK_STREAM)[HERE].alerted is None
    assert snowflake.execute(details) == [(3, 0, "{}")]
    clicks = ledger_rows(connection, names.CLICK_STREAM)
    assert {hour: (row.is_open, row.alerted) for hour, row in clicks.items()} == {HERE: (True, None)}
