"""Trips, stops and silences as docs/dashboard.md defines them, in plain Python, to compare the SQL with."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from typing import Any, NamedTuple

from include.plausibility import EARTH_RADIUS_MILES, SENTINELS, plausible
from include.trip_detection import trip_limits as limits

Place = tuple[float, float]


class Period(NamedTuple):
    """A trip, a stop or a silence, within a day."""

    kind: str
    begins: datetime
    ends: datetime
    miles: float | None
    odometer_miles: float | None
    top_speed: float | None
    idle_seconds: float
    gallons: float | None
    refuelled: float


@dataclass
class Leg:
    """From the start of a version to that of the next one."""

    begins: datetime
    ends: datetime
    row: dict[str, Any]
    fix: tuple[datetime, Place] | None = None
    next_fix: tuple[datetime, Place] | None = None
    fuel: float | None = None
    next_fuel: float | None = None
    odometer_miles: float | None = None
    state: str = ""
    kind: str = ""
    fuel_rise: float = 0.0

    @property
    def seconds(self) -> float:
        return (self.ends - self.begins).total_seconds()

    def speed(self, name: str) -> float | None:
        value = self.row[name]
        broken = [each for each in SENTINELS if each.metric == name.lower() and value is not None]
        return None if any(each.low <= value <= each.high for each in broken) else value

    @property
    def fastest(self) -> float:
        return max((self.speed(name) or 0.0 for name in ("VEHICLE_SPEED", "GPS_SPEED")), default=0.0)

    def fix_miles(self) -> float | None:
        if not self.fix or not self.next_fix:
            return None
        miles = miles_between(self.fix[1], self.next_fix[1])
        return miles if miles <= reach(self.fix[0], self.next_fix[0]) else 0.0

    def miles(self) -> float | None:
        distance = self.fix_miles()
        if distance is None or not self.fix or not self.next_fix:
            return None
        return distance * self.seconds / (self.next_fix[0] - self.fix[0]).total_seconds()


def miles_between(one: Place, other: Place) -> float:
    (latitude, longitude), (to_latitude, to_longitude) = (tuple(map(math.radians, place)) for place in (one, other))
    half = math.sin((to_latitude - latitude) / 2) ** 2 + math.cos(latitude) * math.cos(to_latitude) * (
        math.sin((to_longitude - longitude) / 2) ** 2
    )
    return EARTH_RADIUS_MILES * 2 * math.asin(min(1.0, math.sqrt(half)))


def reach(since: datetime, until: datetime) -> float:
    return plausible["position_error"] + plausible["top_speed"] * (until - since).total_seconds() / 3600


def periods(versions: Iterable[dict[str, Any]], begins: datetime, ends: datetime, now: datetime) -> list[Period]:
    """Return the periods of the day from ``begins`` to ``ends``, of one truck's versions at ``now``."""
    since, until = begins - timedelta(hours=1), ends + timedelta(hours=1)
    rows = sorted(
        (
            row
            for row in versions
            if row["EFFECTIVE_START_DATE"] < until
            and (row["EFFECTIVE_END_DATE"] is None or row["EFFECTIVE_END_DATE"] > since)
        ),
        key=lambda row: row["EFFECTIVE_START_DATE"],
    )
    legs = []
    for row in rows:
        start, end = row["EFFECTIVE_START_DATE"], row["EFFECTIVE_END_DATE"]
        legs.append(Leg(start, min(end or max(start, now), until), row))
    _locate(legs)
    _gauge(legs)
    for leg in legs:
        leg.state = _state(leg)
    for run in _runs(legs, lambda leg: leg.state):
        if run[0].state == "moving" and _is_drift(run):
            for leg in run:
                leg.state = "standing"
    for run in _runs(legs, lambda leg: leg.state):
        is_stop = run[0].state == "standing" and _seconds(run) >= limits["stop_minutes"] * 60
        for leg in run:
            leg.kind = "silent" if leg.state == "silent" else "stop" if is_stop else "trip"
        if run[0].state != "moving" and run[0].fuel is not None:
            run[-1].fuel_rise = run[-1].next_fuel - run[0].fuel
    for run in _runs(legs, lambda leg: leg.kind):
        if run[0].kind == "trip" and not _is_trip(run):
            for leg in run:
                leg.kind = "stop"
    of_day = [leg for leg in legs if leg.begins < ends and leg.ends > begins and leg.seconds > 0]
    return [_period(run, begins, ends) for run in _runs(of_day, lambda leg: leg.kind)]


def _runs(legs: Sequence[Leg], key: Callable[[Leg], str]) -> list[list[Leg]]:
    return [list(run) for _, run in groupby(legs, key=key)]


def _seconds(legs: Iterable[Leg]) -> float:
    return sum(leg.seconds for leg in legs)


def _locate(legs: list[Leg]) -> None:
    places = [(leg, (leg.row["GPS_LATITUDE"], leg.row["GPS_LONGITUDE"])) for leg in legs]
    places = [(leg, place) for leg, place in places if None not in place and not _is_nowhere(place)]
    spells: list[list[tuple[Leg, Place]]] = []
    for leg, place in places:
        if spells:
            last, last_place = spells[-1][-1]
            if miles_between(last_place, place) <= reach(last.begins, leg.begins):
                spells[-1].append((leg, place))
                continue
        spells.append([(leg, place)])
    if not spells:
        return

    def observed(spell: list[tuple[Leg, Place]]) -> float:
        return sum(min(leg.seconds, limits["silent_minutes"] * 60) for leg, _ in spell)

    longest = max(spells, key=observed)
    fixes = []
    for spell in spells:
        pair = (spell, longest) if spell[0][0].begins < longest[0][0].begins else (longest, spell)
        (end, end_place), (start, start_place) = pair[0][-1], pair[1][0]
        if spell is longest or miles_between(end_place, start_place) <= reach(end.begins, start.begins):
            fixes += [(leg.begins, place) for leg, place in spell]
    for leg in legs:
        leg.fix = next((fix for fix in reversed(fixes) if fix[0] <= leg.begins), None)
        leg.next_fix = next((fix for fix in fixes if fix[0] > leg.begins), None)


def _is_nowhere(place: Place) -> bool:
    box = plausible["null_island"]
    return (abs(place[0]) < box and abs(place[1]) < box) or abs(place[0]) > plausible["pole"]


def _gauge(legs: list[Leg]) -> None:
    fuel, odometer = None, None
    for leg in legs:
        leg.fuel = fuel = leg.row["FUEL_LEVEL"] if leg.row["FUEL_LEVEL"] is not None else fuel
    for leg, following in pairwise(legs):
        leg.next_fuel = following.fuel
        if leg.row["ODOMETER_READING"] is not None:
            odometer = (leg.begins, leg.row["ODOMETER_READING"])
        value = following.row["ODOMETER_READING"]
        if odometer is not None:
            risen = 0.0 if value is None else value - odometer[1]
            hours = 0.0 if value is None else (following.begins - odometer[0]).total_seconds() / 3600
            if 0 <= risen <= plausible["odometer_error"] + plausible["top_speed"] * hours:
                leg.odometer_miles = risen
    if legs:
        legs[-1].next_fuel = legs[-1].fuel


def _state(leg: Leg) -> str:
    miles = leg.fix_miles()
    if leg.seconds >= limits["silent_minutes"] * 60:
        is_elsewhere = miles >= limits["trip_miles"] if miles is not None else leg.fastest >= limits["moving"]
        return "silent" if is_elsewhere else "standing"
    if leg.fastest >= limits["moving"]:
        return "moving"
    if miles is not None and leg.fix and leg.next_fix and miles >= limits["drift_miles"]:
        hours = (leg.next_fix[0] - leg.fix[0]).total_seconds() / 3600
        return "moving" if miles >= limits["moving"] * hours else "standing"
    return "standing"


def _farthest(run: list[Leg]) -> float:
    if not run[0].fix:
        return 0.0
    return max((miles_between(run[0].fix[1], leg.next_fix[1]) for leg in run if leg.next_fix), default=0.0)


def _is_drift(run: list[Leg]) -> bool:
    by_wheel = max((leg.speed("VEHICLE_SPEED") or 0.0) for leg in run)
    return by_wheel < limits["moving"] and _farthest(run) < limits["drift_miles"]


def _is_trip(run: list[Leg]) -> bool:
    by_odometer = sum(leg.odometer_miles or 0.0 for leg in run) - plausible["odometer_error"]
    return _seconds(run) >= limits["trip_minutes"] * 60 and max(_farthest(run), by_odometer) >= limits["trip_miles"]


def _period(run: list[Leg], begins: datetime, ends: datetime) -> Period:
    def sum_of(values: Iterable[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return sum(known) if known else None

    def cut(leg: Leg) -> float:
        return (min(leg.ends, ends) - max(leg.begins, begins)).total_seconds()

    def known(leg: Leg) -> float:
        until = min(leg.ends, ends, leg.begins + timedelta(minutes=limits["silent_minutes"]))
        return max(0.0, (until - max(leg.begins, begins)).total_seconds())

    def share(leg: Leg, value: float | None) -> float | None:
        return None if value is None else value * cut(leg) / leg.seconds

    kind = run[0].kind
    tops = {
        name: max((value for leg in run if (value := leg.speed(name)) is not None), default=None)
        for name in ("VEHICLE_SPEED", "GPS_SPEED")
    }
    return Period(
        kind,
        max(run[0].begins, begins),
        min(run[-1].ends, ends),
        None if kind == "stop" else sum_of(share(leg, leg.miles()) for leg in run),
        None if kind == "stop" else sum_of(share(leg, leg.odometer_miles) for leg in run),
        (tops["VEHICLE_SPEED"] or tops["GPS_SPEED"]) if kind == "trip" else None,
        sum(known(leg) for leg in run if leg.state == "standing" and (leg.row["ENGINE_RPM"] or 0) >= limits["running"]),
        sum_of(
            None if leg.row["FUEL_CONSUMPTION"] is None else leg.row["FUEL_CONSUMPTION"] * known(leg) / 3600
            for leg in run
        ),
        sum(leg.fuel_rise for leg in run if leg.fuel_rise >= limits["refuelled"] and leg.ends <= ends),
    )
