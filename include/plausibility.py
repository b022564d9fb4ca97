"""What is plausible for a truck: the thresholds of the quality rules on consecutive readings, each with its source.

``sql/quality`` uses them as ``{{ plausible.top_speed }}`` and ``{{ sentinels }}``.  A threshold is for values that the
contract accepts: its ranges (include/contracts) are wider, so that an odd reading is stored and not lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec


class Threshold(msgspec.Struct, frozen=True):
    """A limit of one or more rules, where it comes from, and its unit."""

    name: str
    value: float
    unit: str
    source: str


class Sentinel(msgspec.Struct, frozen=True):
    """Values of a metric (inclusive, in its unit) that a bus or device uses for "error" or "not available"."""

    metric: str
    low: float
    high: float
    source: str


THRESHOLDS = (
    Threshold("top_speed", 200, "mph", "largest speed of the contract; no truck, ferry or freight train is faster"),
    Threshold("position_error", 1.5, "mi", "a GPS fix in a street canyon or tunnel exit is off by less"),
    Threshold("null_island", 0.05, "°", "a box of 7 mi around 0,0; the nearest land is 350 mi away"),
    Threshold("pole", 89.9, "°", "no road is so far north or south; 90 is the largest latitude that fits a field"),
    Threshold("odometer_error", 1, "mi", "rounding to whole miles or kilometres"),
    Threshold("rollover_reach", 1000, "mi", "a rollover is noticed even if the truck was silent so far"),
    Threshold("late_days", 28, "days", "longer than a device keeps readings while it has no network"),
    Threshold("moving", 20, "mph", "slower, the error of a GPS speed hides the unit"),
    Threshold("ratio_error", 0.02, "", "speedometers of trucks are exact to 1 or 2 % at a steady speed"),
    Threshold("unit_readings", 3, "readings", "GPS speed lags when a truck brakes, so one or two can look like it"),
    Threshold("boiling", 130, "°C", "coolant under pressure boils below it; 180 to 210 is usual in °F"),
    Threshold("hottest_engine", 210, "°C", "J1939 SPN 110: the largest value that can be measured; 410 °F"),
    Threshold("hottest_air", 57, "°C", "the highest air temperature ever measured is 56.7 °C (WMO)"),
    Threshold("stuck_minutes", 60, "minutes", "no gauge of a truck that moves repeats one value for an hour"),
    Threshold("stuck_miles", 5, "mi", "a truck that moves so far in an hour does not stand in a yard"),
    Threshold("stuck_degrees", 0.1, "°", "the same as a position: 7 mi north or south, 4 mi east or west at 52°"),
    Threshold("open_hours", 24, "hours", "a truck that is parked overnight is not over its fault"),
    Threshold("robot_newest", 50, "clicks", "the newest clicks of an item; a robot of an hour ago is over"),
    Threshold("robot_clicks", 20, "intervals", "so many can't be regular by chance"),
    Threshold("robot_jitter", 0.2, "", "a timer in a browser or a script keeps its interval better"),
    Threshold("robot_share", 0.8, "", "of random clicks, one interval in seven is so close to the median"),
    Threshold("robot_slowest", 5000, "ms", "slower clicks harm nobody"),
    Threshold("tick_newest", 50, "clicks", "the newest clicks of an item: its rate now"),
    Threshold("tick_clicks", 20, "clicks", "so many are not on whole ticks by chance"),
    Threshold("tick_merged", 0.001, "", "one click in a thousand; at 2 clicks per second with a clock of 1 ms"),
)
plausible: Mapping[str, float] = MappingProxyType({each.name: each.value for each in THRESHOLDS})

_BYTE = "J1939-71: a byte of 0xFE is an error and 0xFF is not available"
_WORD = "J1939-71: two bytes from 0xFE00 are an error and from 0xFF00 not available"
SENTINELS = (
    Sentinel("engine_temperature", 213.95, 215.05, f"{_BYTE}; SPN 110, 1 °C per bit from -40; OBD-II PID 05 alike"),
    Sentinel("vehicle_speed", 157.8, 159.1, f"{_WORD}; SPN 84, 1/256 km/h per bit; OBD-II PID 0D: 0xFF is 158.4"),
    Sentinel("gps_speed", 157.8, 159.1, f"{_WORD}; SPN 517, 1/256 km/h per bit"),
    Sentinel("oil_pressure", 147.3, 148.0, f"{_BYTE}; SPN 100, 4 kPa per bit"),
    Sentinel("tire_pressure_front_left", 147.3, 148.0, f"{_BYTE}; SPN 241, 4 kPa per bit"),
    Sentinel("tire_pressure_front_right", 147.3, 148.0, f"{_BYTE}; SPN 241, 4 kPa per bit"),
    Sentinel("tire_pressure_rear_left", 147.3, 148.0, f"{_BYTE}; SPN 241, 4 kPa per bit"),
    Sentinel("tire_pressure_rear_right", 147.3, 148.0, f"{_BYTE}; SPN 241, 4 kPa per bit"),
    Sentinel("gps_altitude", 5627.9, 5692.0, f"{_WORD}; SPN 580, 0.125 m per bit from -2500"),
    Sentinel("battery_voltage", 32.7665, 32.7675, "0x7FFF millivolts, the largest number of two bytes with a sign"),
)


class Steady(msgspec.Struct, frozen=True):
    """A metric that must change within an hour in which a truck moves, and the fewest versions that show it.

    Tyre pressure, battery voltage and the environment are not here: a good sensor can repeat them for an hour, because
    its steps are coarse (0.6 psi for SPN 241, 1 °C outside).
    """

    metric: str
    versions: int
    source: str


_COARSE = "a limiter, a thermostat or a steady load can repeat a few readings"
STEADY = (
    Steady("gps_latitude", 6, "with the longitude: a position is both"),
    Steady("gps_longitude", 6, "with the latitude"),
    Steady("odometer_reading", 6, "counts what the truck moves"),
    Steady("fuel_level", 10, "a truck burns 3 to 5 % of its tank in an hour; steps are 0.4 % (SPN 96)"),
    Steady("fuel_consumption", 10, "steps of 0.05 l/h (SPN 183)"),
    Steady("engine_rpm", 10, "steps of 0.125 rpm (SPN 190)"),
    Steady("gps_speed", 30, _COARSE),
    Steady("vehicle_speed", 30, _COARSE),
    Steady("engine_temperature", 30, _COARSE),
    Steady("oil_pressure", 30, _COARSE),
)

EARTH_RADIUS_MILES = 3958.8

# Speeds of one truck in two units: (name, GPS speed divided by vehicle speed).
SPEED_RATIOS = (
    ("GPS in km/h", 1.609344),
    ("vehicle in km/h", 1 / 1.609344),
    ("GPS in knots", 1 / 1.150779),
    ("GPS in m/s", 0.44704),
    ("vehicle in m/s", 1 / 0.44704),
)

# Where odometers begin again at 0, in miles: digits of a display.
ODOMETER_LIMITS = (100_000.0, 1_000_000.0, 100_000 / 1.609344, 1_000_000 / 1.609344)


def is_no_position(latitude: str, longitude: str) -> str:
    """Return a condition in SQL: the position is near 0,0 or a pole."""
    box, pole = plausible["null_island"], plausible["pole"]
    return f"((abs({latitude}) < {box} and abs({longitude}) < {box}) or abs({latitude}) > {pole})"


def miles_between(latitude: str, longitude: str, to_latitude: str, to_longitude: str) -> str:
    """Return an expression in SQL: miles along a great circle (haversine), which the date line does not change."""
    return (
        f"{EARTH_RADIUS_MILES} * 2 * asin(least(1, sqrt(power(sin(radians({to_latitude} - {latitude}) / 2), 2)"
        f" + cos(radians({latitude})) * cos(radians({to_latitude}))"
        f" * power(sin(radians({to_longitude} - {longitude}) / 2), 2))))"
    )
