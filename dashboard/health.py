"""Pure rules that decide from one reading whether a truck needs attention, and the limits of what gets worse slowly.

They are narrower than the contract's ranges: a valid value can still be a reason to call the driver.  The limits are
common service limits of heavy trucks; change them here for another fleet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from include.trip_detection import trip_limits

LOW_FUEL_PERCENT = 15.0
HIGH_ENGINE_TEMPERATURE_C = 110.0
LOW_OIL_PRESSURE_PSI = 20.0
LOW_BATTERY_VOLTS = 11.8
# Below idle speed low oil pressure is normal.  The trips' limit of a running engine.
IDLE_RPM = float(trip_limits["running"])
# Relative, because cars, vans and trucks need different pressures.  A leak shows as one tyre below the others.
TYRE_PRESSURE_DROP = 0.15

TYRES = {
    "tire_pressure_front_left": "front left",
    "tire_pressure_front_right": "front right",
    "tire_pressure_rear_left": "rear left",
    "tire_pressure_rear_right": "rear right",
}


# What gets worse slowly: the last day against the seven days before (sql/dashboard/trends.sql).
TYRE_CHANGE_PSI = 3.0
BATTERY_CHANGE_VOLTS = 0.4
ENGINE_CHANGE_C = 8.0
TREND_DAYS = 7
# A day with fewer hours says little, and fewer days are no past.
FEWEST_HOURS, FEWEST_DAYS = 4, 3
# A change of a truck whose days differ much is nothing new.
USUAL_TIMES = 2


class Urgency(NamedTuple):
    """How soon somebody has to act; the lower the rank, the sooner."""

    rank: int
    word: str
    mark: str


STOP, WORKSHOP, WATCH = Urgency(0, "stop and check", "▲"), Urgency(1, "workshop", "◆"), Urgency(2, "soon", "●")

# The most urgent first: the truck can't stop, the engine is about to break, a tyre may burst, it may break down.
_URGENCIES = {
    "brake_status": STOP,
    "engine_temperature": STOP,
    "oil_pressure": STOP,
    **dict.fromkeys(TYRES, WORKSHOP),
    "transmission_status": WORKSHOP,
    "battery_voltage": WORKSHOP,
    "fuel_level": WATCH,
}
# The metrics that can be a reason, the most urgent first.
REASONS = tuple(_URGENCIES)


class Reason(NamedTuple):
    """Why a truck needs attention: the metric, and a short phrase with value and unit."""

    metric: str
    text: str

    @property
    def urgency(self) -> Urgency:
        """How soon somebody has to act."""
        return _URGENCIES[self.metric]

    @property
    def rank(self) -> tuple[int, int]:
        """Sorts reasons, the most urgent first."""
        return self.urgency.rank, REASONS.index(self.metric)


class Rule(NamedTuple):
    """A rule for a person to read."""

    what: str
    limit: str
    urgency: Urgency


def rules() -> list[Rule]:
    """Return the rules with their limits, the most urgent first."""
    return [
        Rule("Brakes", "not Good", STOP),
        Rule("Engine temperature", f"above {HIGH_ENGINE_TEMPERATURE_C:.0f} °C", STOP),
        Rule("Oil pressure", f"below {LOW_OIL_PRESSURE_PSI:.0f} psi at {IDLE_RPM:.0f} rpm or more", STOP),
        Rule("Tyre pressure", f"{100 * TYRE_PRESSURE_DROP:.0f} % below the truck's highest tyre", WORKSHOP),
        Rule("Transmission", "not Operational", WORKSHOP),
        Rule("Battery", f"below {LOW_BATTERY_VOLTS} V", WORKSHOP),
        Rule("Fuel", f"below {LOW_FUEL_PERCENT:.0f} %", WATCH),
        Rule(
            "A tyre loses pressure",
            f"{TYRE_CHANGE_PSI:.0f} psi below its past, by itself and against the other tyres",
            WATCH,
        ),
        Rule("Battery falls", f"{BATTERY_CHANGE_VOLTS} V below its past while the engine runs", WATCH),
        Rule("Engine runs hotter", f"{ENGINE_CHANGE_C:.0f} °C above its past while it runs", WATCH),
    ]


def limits() -> dict[str, float]:
    """Return the limits of :func:`reasons` as sql/dashboard/attention_since.sql binds them."""
    return {
        "tyre_share": 1 - TYRE_PRESSURE_DROP,
        "high_engine_temperature": HIGH_ENGINE_TEMPERATURE_C,
        "low_oil_pressure": LOW_OIL_PRESSURE_PSI,
        "idle_rpm": IDLE_RPM,
        "low_fuel": LOW_FUEL_PERCENT,
        "low_battery": LOW_BATTERY_VOLTS,
    }


def trend_limits() -> dict[str, float]:
    """Return the limits of sql/dashboard/trends.sql as it binds them."""
    return {
        "idle_rpm": IDLE_RPM,
        "tyre_change": TYRE_CHANGE_PSI,
        "battery_change": BATTERY_CHANGE_VOLTS,
        "temperature_change": ENGINE_CHANGE_C,
        "fewest_hours": FEWEST_HOURS,
        "fewest_days": FEWEST_DAYS,
        "usual_times": USUAL_TIMES,
    }


def warnings(reading: Mapping[str, Any]) -> list[str]:
    """Return the texts of :func:`reasons`."""
    return [reason.text for reason in reasons(reading)]


def reasons(reading: Mapping[str, Any]) -> list[Reason]:
    """Return the reasons why a truck needs attention, the most urgent first; empty if none is known.

    Args:
        reading: metrics by their lower-case column names; None or NaN if unknown.
    """
    found: dict[str, str] = {}

    def number(name: str) -> float | None:
        value = reading.get(name)
        # pandas writes a missing number as NaN, which is not equal to itself.
        return None if value is None or value != value else float(value)

    for name, word, good in (
        ("brake_status", "brakes", "Good"),
        ("transmission_status", "transmission", "Operational"),
    ):
        if isinstance(status := reading.get(name), str) and status != good:
            found[name] = f"{word}: {status}"
    if (celsius := number("engine_temperature")) is not None and celsius > HIGH_ENGINE_TEMPERATURE_C:
        found["engine_temperature"] = f"engine {celsius:.0f} °C"
    rpm = number("engine_rpm")
    if (psi := number("oil_pressure")) is not None and psi < LOW_OIL_PRESSURE_PSI and (rpm is None or rpm >= IDLE_RPM):
        found["oil_pressure"] = f"oil {psi:.0f} psi"
    pressures = {name: psi for name in TYRES if (psi := number(name)) is not None}
    highest = max(pressures.values(), default=0.0)
    for name, psi in pressures.items():
        if psi < highest * (1 - TYRE_PRESSURE_DROP):
            found[name] = f"{TYRES[name]} tyre {psi:.0f} psi"
    if (percent := number("fuel_level")) is not None and percent < LOW_FUEL_PERCENT:
        found["fuel_level"] = f"fuel {percent:.0f} %"
    if (volts := number("battery_voltage")) is not None and volts < LOW_BATTERY_VOLTS:
        found["battery_voltage"] = f"battery {volts:.1f} V"
    return sorted((Reason(*each) for each in found.items()), key=lambda reason: reason.rank)
