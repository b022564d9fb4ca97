"""Pure rules that decide from one reading whether a truck needs attention.

They are narrower than the contract's ranges: a valid value can still be a reason to call the driver.  The limits are
common service limits of heavy trucks; change them here for another fleet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LOW_FUEL_PERCENT = 15.0
HIGH_ENGINE_TEMPERATURE_C = 110.0
LOW_OIL_PRESSURE_PSI = 20.0
LOW_BATTERY_VOLTS = 11.8
# Below idle speed the engine stands, starts or stalls, so low oil pressure is normal.
IDLE_RPM = 500.0
# Relative, because cars, vans and trucks need different pressures.  A leak shows as one tyre below the others.
TYRE_PRESSURE_DROP = 0.15

TYRES = {
    "tire_pressure_front_left": "front left",
    "tire_pressure_front_right": "front right",
    "tire_pressure_rear_left": "rear left",
    "tire_pressure_rear_right": "rear right",
}


def warnings(reading: Mapping[str, Any]) -> list[str]:
    """Return the reasons why a truck needs attention.

    Args:
        reading: metrics by their lower-case column names; None or NaN if unknown.

    Returns:
        Short phrases with value and unit, most urgent first; empty if no reason is known.
    """
    found = []

    def number(name: str) -> float | None:
        value = reading.get(name)
        # pandas writes a missing number as NaN, which is not equal to itself.
        return None if value is None or value != value else float(value)

    brakes, transmission = reading.get("brake_status"), reading.get("transmission_status")
    if isinstance(brakes, str) and brakes != "Good":
        found.append(f"brakes: {brakes}")
    if (celsius := number("engine_temperature")) is not None and celsius > HIGH_ENGINE_TEMPERATURE_C:
        found.append(f"engine {celsius:.0f} °C")
    rpm = number("engine_rpm")
    if (psi := number("oil_pressure")) is not None and psi < LOW_OIL_PRESSURE_PSI and (rpm is None or rpm >= IDLE_RPM):
        found.append(f"oil {psi:.0f} psi")
    if isinstance(transmission, str) and transmission != "Operational":
        found.append(f"transmission: {transmission}")
    pressures = {name: psi for name in TYRES if (psi := number(name)) is not None}
    highest = max(pressures.values(), default=0.0)
    for name, psi in pressures.items():
        if psi < highest * (1 - TYRE_PRESSURE_DROP):
            found.append(f"{TYRES[name]} tyre {psi:.0f} psi")
    if (percent := number("fuel_level")) is not None and percent < LOW_FUEL_PERCENT:
        found.append(f"fuel {percent:.0f} %")
    if (volts := number("battery_voltage")) is not None and volts < LOW_BATTERY_VOLTS:
        found.append(f"battery {volts:.1f} V")
    return found
