"""Readings of trucks on the road, with every metric set."""

from __future__ import annotations

import math
import random
from datetime import datetime, timedelta
from typing import Any


def drive(truck: str, number: int, start: datetime, seconds: int, step: int) -> list[dict[str, Any]]:
    """Return readings of a truck that drives near Columbus, Ohio, one every ``step`` seconds."""
    chance = random.Random(number)
    heading, latitude, longitude = chance.uniform(0, 6.28), 39.96 + chance.gauss(0, 0.03), -83.0 + chance.gauss(0, 0.04)
    fuel, odometer, readings = chance.uniform(12, 90), chance.uniform(20_000, 90_000), []
    for second in range(0, seconds + 1, step):
        speed = max(0.0, 38 + 16 * math.sin(second / 120 + number) + chance.gauss(0, 2))
        heading += chance.gauss(0, 0.12) * step / 5
        miles = speed * step / 3600
        latitude += miles / 69 * math.cos(heading)
        longitude += miles / 53 * math.sin(heading)
        fuel, odometer = max(5.0, fuel - miles / 7), odometer + miles
        readings.append(
            {
                "truck_id": truck, "event_time": start + timedelta(seconds=second),
                "gps_latitude": round(latitude, 6), "gps_longitude": round(longitude, 6), "gps_altitude": 235.0,
                "gps_speed": round(speed, 1), "vehicle_speed": round(speed, 1), "engine_rpm": round(700 + speed * 30),
                "fuel_level": round(fuel, 2), "engine_temperature": round(86 + speed / 6 + chance.gauss(0, 0.5), 1),
                "oil_pressure": round(38 + speed / 4, 1), "battery_voltage": 13.8,
                "odometer_reading": round(odometer, 2), "fuel_consumption": round(1 + speed / 9, 2),
                "brake_status": "Needs Inspection" if number == 2 else "Good",
                "tire_pressure_front_left": 101.0, "tire_pressure_front_right": 100.5,
                "tire_pressure_rear_left": 82.0 if number == 4 else 99.5, "tire_pressure_rear_right": 100.0,
                "transmission_status": "Operational", "environment_temperature": 7.5,
                "environment_humidity": 61.0, "environment_pressure": 1013.2,
            }
        )  # fmt: skip
    return readings
