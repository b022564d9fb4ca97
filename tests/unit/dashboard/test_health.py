"""health.py: which readings are a reason to call the driver."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard import health
from dashboard.health import warnings
from include.contracts import METRICS

pytestmark = pytest.mark.unit

GOOD = {
    "engine_temperature": 92.0, "oil_pressure": 45.0, "engine_rpm": 1800.0, "fuel_level": 60.0, "battery_voltage": 13.8,
    "brake_status": "Good", "transmission_status": "Operational", **dict.fromkeys(health.TYRES, 100.0),
}  # fmt: skip


def test_a_truck_in_order_has_no_warnings() -> None:
    assert warnings(GOOD) == []


@pytest.mark.parametrize("unknown", [None, float("nan")])
def test_what_is_not_known_is_no_warning(unknown: float | None) -> None:
    assert warnings(dict.fromkeys(GOOD, unknown)) == []


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        ({"brake_status": "Needs Inspection"}, "brakes: Needs Inspection"),
        ({"transmission_status": "Needs Maintenance"}, "transmission: Needs Maintenance"),
        ({"engine_temperature": 118.0}, "engine 118 °C"),
        ({"oil_pressure": 8.0}, "oil 8 psi"),
        ({"tire_pressure_rear_left": 80.0}, "rear left tyre 80 psi"),
        ({"fuel_level": 9.0}, "fuel 9 %"),
        ({"battery_voltage": 11.2}, "battery 11.2 V"),
    ],
)
def test_each_rule(change: dict[str, Any], warning: str) -> None:
    assert warnings(GOOD | change) == [warning]


@pytest.mark.parametrize(("rpm", "psi"), [(0.0, 0.0), (200.0, 9.0)])
def test_an_engine_that_stands_or_starts_has_little_oil_pressure_rightly(rpm: float, psi: float) -> None:
    assert warnings(GOOD | {"oil_pressure": psi, "engine_rpm": rpm}) == []


def test_the_most_urgent_comes_first() -> None:
    assert warnings(GOOD | {"fuel_level": 5.0, "brake_status": "Needs Inspection"})[0].startswith("brakes")


def test_the_rules_read_metrics_of_the_contract() -> None:
    assert set(GOOD) <= {metric.name for metric in METRICS}
