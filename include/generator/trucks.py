"""A simulation of trucks that drive.

A truck's course is a line through knots, one every ten seconds of UTC.  A reading of any instant lies on that line, so
readings that are sent late or out of order agree with those sent on time: in the order of event time the odometer
never goes back.  Each step's chance is drawn from (seed, truck, knot), so a run that was killed before it could save
drives the same course again.

Units are those of the contract.
"""

from __future__ import annotations

import math
import random
from typing import Literal

import msgspec

from include.contracts import METRICS
from include.generator.event_times import MAX_MINUTES_LATE

STEP = 10  # s between knots
_STEP_US = STEP * 1_000_000
_HOURS = STEP / 3600
# Knots kept behind the newest reading: readings may be so late, and a little more.
_HISTORY = (MAX_MINUTES_LATE + 2) * 60 // STEP
# Longer than this without a run, and the truck was parked meanwhile.
_PARKED_AFTER = 2 * 3600 // STEP

BRAKE = ("Good", "Needs Inspection")
TRANSMISSION = ("Operational", "Needs Maintenance")

_TANK = 150.0  # gallons
_MILES_PER_DEGREE = 69.093
_RANGE_DEGREES = 2.0  # how far a truck strays from its depot
_BRAKE_LIFE = 30_000.0  # mph braked away until the pads need an inspection
_GEARBOX_LIFE = 4_000.0  # steps under high load until it needs maintenance

# Decimals that the devices report.
_DECIMALS = {"gps_latitude": 6, "gps_longitude": 6, "odometer_reading": 3, "fuel_level": 2, "battery_voltage": 2}
_DIGITS = tuple(_DECIMALS.get(metric.name, 1) for metric in METRICS)
_BRAKE_INDEX = next(i for i, metric in enumerate(METRICS) if metric.name == "brake_status")
_TRANSMISSION_INDEX = next(i for i, metric in enumerate(METRICS) if metric.name == "transmission_status")

# (latitude, longitude, metres above the sea) of the depots.
_DEPOTS = (
    (40.7357, -74.1724, 10.0),
    (41.8781, -87.6298, 180.0),
    (39.7392, -104.9903, 1600.0),
    (33.7490, -84.3880, 320.0),
    (32.7767, -96.7970, 130.0),
    (47.6062, -122.3321, 50.0),
    (52.5200, 13.4050, 35.0),
    (45.4642, 9.1900, 120.0),
)

Mode = Literal["driving", "stopped", "fuelling", "resting"]


def truck_ids(count: int) -> list[str]:
    """TRK001, TRK002, …"""
    return [f"TRK{number:03d}" for number in range(1, count + 1)]


class Truck(msgspec.Struct):
    """The state of one truck at its newest knot, and its course of the last minutes.

    A knot holds the 21 metrics in the contract's order, a status as 0 (fine) or 1; ``first`` is the number of
    the oldest one (seconds since 1970 divided by 10).
    """

    truck_id: str
    number: int
    first: int
    latitude: float
    longitude: float
    altitude: float
    odometer: float
    fuel: float
    temperature: float
    heading: float
    cruise: float
    weather: float
    tyres: list[float]
    brake_wear: float
    gearbox_wear: float
    speed: float = 0.0
    mode: Mode = "driving"
    steps_left: int = 0
    puncture: int = -1
    knots: list[tuple[float, ...]] = []

    def reading(self, at: int, seed: int) -> list[float | str]:
        """The 21 metrics, in the contract's order, at ``at`` (µs since 1970), driving on as far as needed.

        Raises:
            ValueError: ``at`` is before the course that is remembered.
        """
        knot, into = divmod(at, _STEP_US)
        index = knot - self.first
        if index < 0:
            raise ValueError(f"{self.truck_id} is remembered from {self.first * STEP} s on, asked for {at / 1e6} s")
        while index + 1 >= len(self.knots):
            self._drive(seed)
        before, after = self.knots[index], self.knots[index + 1]
        share = into / _STEP_US
        values: list[float | str] = [
            round(x + (y - x) * share, digits) for x, y, digits in zip(before, after, _DIGITS, strict=True)
        ]
        values[_BRAKE_INDEX] = BRAKE[int(before[_BRAKE_INDEX])]
        values[_TRANSMISSION_INDEX] = TRANSMISSION[int(before[_TRANSMISSION_INDEX])]
        return values

    def forget_before(self, at: int) -> None:
        """Drop the course that no reading from ``at`` (µs) on, however late, can need."""
        surplus = at // _STEP_US - _HISTORY - self.first
        if surplus > 0:
            del self.knots[:surplus]
            self.first += surplus

    def _drive(self, seed: int) -> None:
        knot = self.first + len(self.knots)
        rng = random.Random((seed * 1_000_003 + self.number) * 10_000_000_019 + knot)
        seconds = knot * STEP
        self._decide(rng)
        before = self.speed
        self._accelerate(rng)
        self._move(rng, (before + self.speed) / 2 * _HOURS)
        braked, gained = max(0.0, before - self.speed), max(0.0, self.speed - before)
        engine_on = self.mode in ("driving", "stopped") or self.speed > 0
        load = min(1.0, 0.06 + self.speed / 120 + gained / 30) if engine_on else 0.0

        outside, humidity, pressure = self._environment(rng, seconds)
        warm = 78 + 24 * load + 0.2 * (outside - 15) if engine_on else outside
        self.temperature += (warm - self.temperature) * (STEP / 240 if engine_on else STEP / 2400)
        consumption = 0.7 + 15 * load if engine_on else 0.0
        self.fuel = max(0.0, self.fuel - consumption * _HOURS / _TANK * 100)
        self.brake_wear += braked
        self.gearbox_wear += load > 0.75
        self._tyres(rng)
        if self.mode == "fuelling" and self.speed == 0:
            self._service()

        gear = min(9, int(self.speed / 7))
        rpm = (650 if self.speed == 0 else 1050 + (self.speed - 7 * gear) * 95 + 8 * gear) if engine_on else 0.0
        self.knots.append(
            (
                self.latitude,
                self.longitude,
                self.altitude,
                self.speed,
                self.speed,
                rpm,
                self.fuel,
                self.temperature,
                18 + rpm / 2200 * 36 if engine_on else 0.0,
                13.6 + 0.4 * min(1.0, rpm / 1500) if engine_on else 12.6,
                self.odometer,
                consumption,
                float(self.brake_wear > _BRAKE_LIFE),
                *(pressure_of_tyre + self.speed * 0.04 for pressure_of_tyre in self.tyres),
                float(self.gearbox_wear > _GEARBOX_LIFE),
                outside,
                humidity,
                pressure,
            )
        )

    def _decide(self, rng: random.Random) -> None:
        """What the driver does next, and why."""
        chance = rng.random()
        if self.mode == "driving":
            if self.fuel < 15 or (self.puncture >= 0 and self.tyres[self.puncture] < 80):
                self.mode = "fuelling"  # Low fuel or a flat tyre: to the station, which fixes both.
            elif chance < 0.02:
                self.mode, self.steps_left = "stopped", rng.randint(2, 12)  # Traffic lights, a delivery.
            elif chance < 0.021:
                self.mode, self.steps_left = "resting", rng.randint(30, 180)
            elif chance < 0.045:
                self.cruise = rng.choice((28.0, 45.0, 62.0)) + rng.uniform(-4, 4)  # Another road.
        elif self.mode == "fuelling":
            if self.fuel >= 95 and self.speed == 0:
                self.mode = "driving"
        elif self.steps_left > 0:
            self.steps_left -= 1
        else:
            self.mode = "driving"

    def _accelerate(self, rng: random.Random) -> None:
        wanted = self.cruise + rng.gauss(0, 1.5) if self.mode == "driving" else 0.0
        change = min(18.0, max(-35.0, wanted - self.speed))
        self.speed = min(75.0, max(0.0, self.speed + change))

    def _move(self, rng: random.Random, miles: float) -> None:
        if miles == 0:
            return
        depot_latitude, depot_longitude, depot_altitude = _DEPOTS[self.number % len(_DEPOTS)]
        north, east = depot_latitude - self.latitude, depot_longitude - self.longitude
        self.heading += rng.gauss(0, 0.12)
        if math.hypot(north, east) > _RANGE_DEGREES:
            away = math.remainder(math.atan2(east, north) - self.heading, 2 * math.pi)
            self.heading += 0.3 * away  # Time to turn back.
        self.latitude += miles * math.cos(self.heading) / _MILES_PER_DEGREE
        self.longitude += miles * math.sin(self.heading) / (_MILES_PER_DEGREE * math.cos(math.radians(self.latitude)))
        self.altitude += rng.gauss(0, 12 * miles) + (depot_altitude - self.altitude) * 0.02 * miles
        self.altitude = min(3000.0, max(0.0, self.altitude))
        self.odometer += miles

    def _environment(self, rng: random.Random, seconds: float) -> tuple[float, float, float]:
        """(°C, %, hPa) outside: by hour, latitude and height, and a weather that drifts."""
        self.weather = min(1.0, max(-1.0, self.weather + rng.gauss(0, 0.002)))
        local_hour = seconds / 3600 % 24 + self.longitude / 15
        outside = 32 - 0.42 * abs(self.latitude) - 6 * math.cos(2 * math.pi * (local_hour - 3) / 24)
        outside += 4 * self.weather - 0.0065 * self.altitude
        humidity = min(100.0, max(10.0, 62 - 1.4 * (outside - 15) - 15 * self.weather))
        return outside, humidity, 1013 + 15 * self.weather - 0.11 * self.altitude

    def _tyres(self, rng: random.Random) -> None:
        if self.puncture < 0 and self.speed > 0 and rng.random() < 2e-5:
            self.puncture = rng.randrange(4)
        for tyre in range(4):
            leak = 0.12 if tyre == self.puncture else rng.uniform(0, 0.0006)
            self.tyres[tyre] = max(20.0, self.tyres[tyre] - leak)

    def _service(self) -> None:
        """One step at the station: fuel, air, and the maintenance that a status asked for."""
        self.fuel = min(96.0, self.fuel + 3.5)
        self.tyres = [max(pressure, 100.0) for pressure in self.tyres]
        self.puncture = -1
        if self.brake_wear > _BRAKE_LIFE:
            self.brake_wear = 0.0
        if self.gearbox_wear > _GEARBOX_LIFE:
            self.gearbox_wear = 0.0


class FleetSimulation:
    """``count`` trucks from ``start`` (µs since 1970) on; ``known`` are those of an earlier run, by id, to drive on."""

    def __init__(self, seed: int, count: int, start: int, known: dict[str, Truck] | None = None) -> None:
        self.trucks = []
        self._seed = seed
        begin = start // _STEP_US - _HISTORY
        for number, truck_id in enumerate(truck_ids(count)):
            truck = (known or {}).get(truck_id)
            if truck is None:
                truck = _new_truck(truck_id, number, begin, seed)
            elif start // _STEP_US - (truck.first + len(truck.knots)) > _PARKED_AFTER:
                truck.first, truck.knots = begin, []
                truck.speed, truck.mode, truck.steps_left, truck.temperature = 0.0, "resting", 6, 15.0
            self.trucks.append(truck)
        self._newest = start

    def reading(self, index: int, at: int) -> tuple[str, list[float | str]]:
        """(truck id, 21 metrics in the contract's order) of truck ``index`` at ``at`` (µs since 1970).

        ``at`` may be up to 20 minutes before the newest time asked for of any truck, or any time after it.
        """
        truck = self.trucks[index]
        values = truck.reading(at, self._seed)
        if len(truck.knots) > 2 * _HISTORY:
            truck.forget_before(max(self._newest, at))
        self._newest = max(self._newest, at)
        return truck.truck_id, values

    def rest(self) -> dict[str, Truck]:
        """The trucks by id, to be saved for the next run."""
        for truck in self.trucks:
            truck.forget_before(self._newest)
        return {truck.truck_id: truck for truck in self.trucks}


def _new_truck(truck_id: str, number: int, first: int, seed: int) -> Truck:
    rng = random.Random(f"truck:{seed}:{number}")
    latitude, longitude, altitude = _DEPOTS[number % len(_DEPOTS)]
    return Truck(
        truck_id=truck_id,
        number=number,
        first=first,
        latitude=latitude + rng.uniform(-0.5, 0.5),
        longitude=longitude + rng.uniform(-0.5, 0.5),
        altitude=altitude,
        odometer=rng.uniform(20_000, 250_000),
        fuel=rng.uniform(30, 95),
        temperature=rng.uniform(60, 85),
        heading=rng.uniform(-math.pi, math.pi),
        cruise=rng.choice((28.0, 45.0, 62.0)),
        weather=rng.uniform(-0.6, 0.6),
        tyres=[rng.uniform(97, 103) for _ in range(4)],
        brake_wear=rng.uniform(0, _BRAKE_LIFE),
        gearbox_wear=rng.uniform(0, _GEARBOX_LIFE),
    )
