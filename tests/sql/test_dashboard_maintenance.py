"""Since when trucks need attention, and what gets worse slowly."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from dashboard import health
from include import names, sql
from tests.sql.conftest import VERSION_COLUMNS

pytestmark = pytest.mark.sql

NOW = datetime(2026, 11, 22, 10)  # noqa: DTZ001  A TIMESTAMP_NTZ: UTC by convention.
HOUR = timedelta(hours=1)
GOOD = {
    "BRAKE_STATUS": "Good", "TRANSMISSION_STATUS": "Operational", "ENGINE_TEMPERATURE": 90.0, "OIL_PRESSURE": 40.0,
    "ENGINE_RPM": 1500.0, "FUEL_LEVEL": 60.0, "BATTERY_VOLTAGE": 13.8,
    **dict.fromkeys((tyre.upper() for tyre in health.TYRES), 100.0),
}  # fmt: skip

# Hours before NOW at which a version begins, and what is in it besides GOOD.
Sent = list[tuple[float, dict[str, Any]]]


def put(snowflake: Any, truck: str, sent: Sent) -> None:
    starts = [NOW - hours * HOUR for hours, _ in sent]
    rows = [
        {"TRUCK_ID": truck, "EFFECTIVE_START_DATE": start, "EFFECTIVE_END_DATE": end, "IS_CURRENT": end is None}
        | {"LOAD_TIMESTAMP": NOW, **GOOD, **values}
        for (_, values), start, end in zip(sent, starts, [*starts[1:], None], strict=True)
    ]
    snowflake.load(names.HISTORY_TABLE, VERSION_COLUMNS, rows)


def since(snowflake: Any) -> dict[tuple[str, str], tuple[float, bool]]:
    """By truck and metric: hours before NOW, and whether it may be longer."""
    values = health.limits() | {"since": (NOW - 100 * HOUR).isoformat(), "limit": 100}
    cursor = snowflake.connection.cursor()
    rows = cursor.execute(sql.render("dashboard/attention_since.sql"), values).fetchall()
    found = {}
    for row in rows:
        named = dict(zip([column.name for column in cursor.description], row, strict=True))
        for metric in health.REASONS:
            if (began := named[f"SINCE_{metric.upper()}"]) is not None:
                found[named["TRUCK_ID"], metric] = ((NOW - began) / HOUR, named[f"IS_LONGER_{metric.upper()}"])
    return found


BAD = {"BRAKE_STATUS": "Needs Inspection"}
UNKNOWN = {"BRAKE_STATUS": None}
SINCE = {
    "it_began_with_the_first_bad_version_of_the_last_run": (
        [(9, {}), (8, BAD), (6, {}), (5, BAD), (4, BAD)],
        (5, False),
    ),
    "an_unknown_value_neither_ends_nor_begins_it": (
        [(9, {}), (8, UNKNOWN), (7, BAD), (6, UNKNOWN), (5, BAD)],
        (7, False),
    ),
    "it_was_never_in_order": ([(9, BAD), (5, BAD)], (9, True)),
    "it_began_before_what_is_read": ([(500, {}), (400, BAD), (90, BAD)], (400, True)),
    "it_is_over": ([(9, BAD), (5, {})], None),
    "it_is_unknown_now": ([(9, BAD), (5, UNKNOWN)], None),
}


@pytest.mark.parametrize("situation", SINCE)
def test_since_when(empty_snowflake: Any, situation: str) -> None:
    sent, expected = SINCE[situation]
    put(empty_snowflake, "T", sent)
    put(empty_snowflake, "FINE", [(9, {}), (5, {})])
    assert since(empty_snowflake) == ({} if expected is None else {("T", "brake_status"): expected})


def test_snowflake_and_the_page_agree_on_what_needs_attention(empty_snowflake: Any, seed: int) -> None:
    chance = random.Random(seed)
    options = {
        "BRAKE_STATUS": ("Good", "Bad", None), "TRANSMISSION_STATUS": ("Operational", "Bad", None),
        "ENGINE_TEMPERATURE": (110.0, 110.1, None), "OIL_PRESSURE": (20.0, 19.9, None),
        "ENGINE_RPM": (499.0, 500.0, None), "FUEL_LEVEL": (15.0, 14.9, None), "BATTERY_VOLTAGE": (11.8, 11.7, None),
        **dict.fromkeys((tyre.upper() for tyre in health.TYRES), (100.0, 86.0, 84.0, 0.0, None)),
    }  # fmt: skip
    trucks = {f"T{number:03}": {name: chance.choice(of) for name, of in options.items()} for number in range(40)}
    for truck, values in trucks.items():
        put(empty_snowflake, truck, [(1, values)])
    expected = {
        (truck, reason.metric)
        for truck, values in trucks.items()
        for reason in health.reasons({name.lower(): value for name, value in values.items()})
    }
    assert expected
    assert set(since(empty_snowflake)) == expected


def trends(snowflake: Any, truck: str = "") -> dict[str, tuple[Any, ...]]:
    """By metric: verdict, days of the past, days since it was repaired."""
    values = health.trend_limits() | {"hour": NOW.isoformat(), "limit": 100, "truck_id": truck}
    values |= {"since": (NOW - (24 * (health.TREND_DAYS + 1) - 1) * HOUR).isoformat()}
    rows = snowflake.execute(sql.render("dashboard/trends.sql"), values)
    return {row[1]: (row[2], row[6], row[7]) for row in rows if not truck or row[0] == truck}


LEFT, OTHERS = "TIRE_PRESSURE_FRONT_LEFT", [tyre.upper() for tyre in health.TYRES if tyre != "tire_pressure_front_left"]


def every_two_hours(days: int, values: Any) -> Sent:
    """Readings of ``days`` full days, from values(days ago, hours ago)."""
    return [(hours + 0.5, values(hours / 24, hours)) for hours in range(24 * days - 2, -1, -2)]


def all_tyres(psi: float) -> dict[str, float]:
    return dict.fromkeys((LEFT, *OTHERS), psi)


CHANCE = random.Random(5)
TRENDS: dict[str, tuple[str, Sent, tuple[Any, ...]]] = {
    "a_tyre_loses_a_psi_a_day": (LEFT, every_two_hours(8, lambda days, _: {LEFT: 92 + days}), ("worse", 7, None)),
    "a_tyre_loses_5_psi_in_a_night": (
        LEFT, every_two_hours(8, lambda days, _: {LEFT: 100 if days >= 1 else 95}), ("worse", 7, None),
    ),
    "a_flat_line_with_noise": (
        LEFT, every_two_hours(8, lambda *_: {LEFT: 100 + CHANCE.gauss(0, 2)}), ("steady", 7, None),
    ),
    "a_cold_day_lowers_all_tyres": (
        LEFT, every_two_hours(8, lambda days, _: all_tyres(100 if days >= 1 else 94)), ("steady", 7, None),
    ),
    "the_other_tyres_are_filled": (
        LEFT, every_two_hours(8, lambda days, _: dict.fromkeys(OTHERS, 100 if days >= 1 else 106)), ("steady", 7, None),
    ),
    "an_outlier_is_no_trend": (
        LEFT, every_two_hours(8, lambda _, hours: {LEFT: 0 if hours in (2, 4) else 100}), ("steady", 7, None),
    ),
    "there_are_too_few_days": (LEFT, every_two_hours(3, lambda days, _: {LEFT: 90 + 4 * days}), ("too few", 2, None)),
    "there_are_too_few_hours_today": (
        LEFT, [(190 - 2 * hour, {}) for hour in range(80)] + [(2, {LEFT: 80}), (1, {LEFT: 80})], ("too few", 7, None),
    ),
    "a_battery_falls": (
        "BATTERY_VOLTAGE", every_two_hours(8, lambda days, _: {"BATTERY_VOLTAGE": 13.0 + days / 8}), ("worse", 7, None),
    ),
    "a_battery_rests": (
        "BATTERY_VOLTAGE",
        every_two_hours(
            8,
            lambda days, hours: {"BATTERY_VOLTAGE": 12.5, "ENGINE_RPM": 0.0} if days < 1 and hours % 4 else {},
        ),
        ("steady", 7, None),
    ),
    "an_engine_runs_hotter": (
        "ENGINE_TEMPERATURE",
        every_two_hours(8, lambda days, _: {"ENGINE_TEMPERATURE": 90 if days >= 1 else 99}), ("worse", 7, None),
    ),
    "days_always_differ": (
        "ENGINE_TEMPERATURE",
        every_two_hours(8, lambda days, _: {"ENGINE_TEMPERATURE": 100 - 7 * (int(days) % 2)}), ("steady", 7, None),
    ),
}  # fmt: skip


@pytest.mark.parametrize("situation", TRENDS)
def test_what_gets_worse(empty_snowflake: Any, situation: str) -> None:
    metric, sent, expected = TRENDS[situation]
    put(empty_snowflake, "T", sent)
    put(empty_snowflake, "OTHER", [(1, {})])
    found = trends(empty_snowflake, "T")
    assert found[metric.lower()] == expected
    # Without a truck, it is only what got worse.
    assert set(trends(empty_snowflake)) == {name for name, (verdict, *_) in found.items() if verdict == "worse"}
    assert set(found) == {*health.TYRES, "battery_voltage", "engine_temperature"}


def test_a_filled_tyre_begins_a_new_past(empty_snowflake: Any) -> None:
    # It lost a psi a day, and was filled two days ago.
    put(empty_snowflake, "T", every_two_hours(8, lambda days, _: {LEFT: 100.0 if days < 2 else 90 + days}))
    assert trends(empty_snowflake, "T")[LEFT.lower()] == ("too few", 1, 1)
