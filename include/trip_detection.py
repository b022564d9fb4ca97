"""When a truck drives, stands or is silent: the thresholds of trips and stops, each with its source.

``sql/dashboard/legs_of_day.sql`` uses them as ``{{ trip_limits.stop_minutes }}`` and says how.  The thresholds of
:mod:`include.plausibility` decide which positions count.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from include.plausibility import Threshold

TRIP_THRESHOLDS = (
    Threshold("moving", 3, "mph", "a walking pace; the GPS speed of a truck that stands is rarely 0"),
    Threshold("stop_minutes", 5, "minutes", "longer than a traffic light or a queue; usual in fleet software: 3 to 10"),
    Threshold("trip_miles", 0.3, "mi", "a shorter drive moves a truck within a yard; GPS drift stays below it"),
    Threshold("trip_minutes", 1, "minutes", "a few odd positions in a row are over sooner"),
    Threshold("drift_miles", 0.1, "mi", "a parked truck's positions wander so far between buildings"),
    Threshold("silent_minutes", 15, "minutes", "three readings of a truck that reports every five minutes"),
    Threshold("running", 500, "rpm", "below idle speed an engine stands, starts or stalls"),
    Threshold("refuelled", 5, "%", "fuel that swings in the tank moves the gauge by less"),
)
trip_limits: Mapping[str, float] = MappingProxyType({each.name: each.value for each in TRIP_THRESHOLDS})
