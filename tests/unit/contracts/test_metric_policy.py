"""Metrics outside their range that a deployment nulls, and decimals that it rounds to."""

import json
import math
from datetime import UTC, datetime

import pytest

from include.contracts import (
    METRICS,
    ContractError,
    MetricPolicy,
    MetricPolicyError,
    TelemetryReading,
    decode_reading,
    read_metric_policy,
)

pytestmark = pytest.mark.unit

NOW = datetime(2025, 3, 17, 15, 36, tzinfo=UTC)
IDENTITY = {"truck_id": "TRK001", "timestamp": "2025-03-17T15:35:54.597252"}
POSITION = MetricPolicy(null_out_of_range=frozenset({"gps_latitude", "gps_longitude"}))
ALL = read_metric_policy("all", "")
NUMBERS = [metric for metric in METRICS if metric.kind == "number"]
TEXTS = [metric for metric in METRICS if metric.kind == "text"]


def _decode(document: dict | bytes, policy: MetricPolicy) -> TelemetryReading:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return decode_reading(data, now=NOW, policy=policy)


def _error(document: dict | bytes, policy: MetricPolicy) -> tuple[str, str | None]:
    with pytest.raises(ContractError) as caught:
        _decode(document, policy)
    return caught.value.reason, caught.value.field


def test_a_truck_without_a_fix_keeps_its_other_metrics():
    reading = _decode({**IDENTITY, "gps_latitude": -200, "gps_longitude": 1e30, "fuel_level": 7}, POSITION)
    assert (reading.gps_latitude, reading.gps_longitude, reading.fuel_level) == (None, None, 7.0)
    assert reading.nulled == (("gps_latitude", "-200"), ("gps_longitude", "1e+30"))


@pytest.mark.parametrize("metric", NUMBERS, ids=lambda metric: metric.name)
def test_every_number_beyond_its_range_is_nulled_and_named_in_both_shapes(metric):
    nested: object = math.nextafter(metric.minimum, -math.inf)
    for key in reversed(metric.nested_path):
        nested = {key: nested}
    for sent in ({metric.name.upper(): math.nextafter(metric.maximum, math.inf)}, nested):
        reading = _decode({**IDENTITY, **sent}, ALL)
        assert getattr(reading, metric.name) is None
        assert [name for name, _sent in reading.nulled] == [metric.name]


@pytest.mark.parametrize("status", ["", "x" * 65, "\u00e9" * 900_000])
def test_a_text_of_the_wrong_length_is_nulled_with_a_short_mark(status):
    for metric in TEXTS:
        reading = _decode({**IDENTITY, metric.name: status}, ALL)
        assert getattr(reading, metric.name) is None
        assert len(dict(reading.nulled)[metric.name]) <= 200


def test_a_reading_in_range_has_no_mark():
    sent = {**IDENTITY, "gps_latitude": -90, "Gps_Longitude": 180, "vehicle_speed": None}
    assert _decode(sent, ALL) == decode_reading(json.dumps(sent).encode(), now=NOW)
    assert _decode(sent, ALL).nulled == ()


def test_a_reading_of_which_every_metric_is_nulled_is_kept():
    reading = _decode({**IDENTITY, **{metric.name: 1e9 for metric in NUMBERS}, **{m.name: "" for m in TEXTS}}, ALL)
    assert [getattr(reading, metric.name) for metric in METRICS] == [None] * 21
    assert [name for name, _sent in reading.nulled] == [metric.name for metric in METRICS]


def test_by_default_a_metric_out_of_range_rejects_the_reading():
    assert _error({**IDENTITY, "gps_latitude": -200}, MetricPolicy()) == ("out_of_range", "gps_latitude")
    with pytest.raises(ContractError):
        decode_reading(json.dumps({**IDENTITY, "gps_latitude": -200}).encode(), now=NOW)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"engine_temperature": 999}, ("out_of_range", "engine_temperature")),
        ({"gps_latitude": "n/a"}, ("wrong_type", "gps_latitude")),
        ({"gps_latitude": True}, ("wrong_type", "gps_latitude")),
        ({"GPS_LATITUDE": 1}, ("ambiguous_key", "gps_latitude")),
        ({"truck_id": ""}, ("out_of_range", "truck_id")),
        ({"timestamp": "yesterday"}, ("bad_time", "timestamp")),
        ({"timestamp": "2025-03-18T00:00:00"}, ("in_future", "timestamp")),
    ],
    ids=lambda value: str(value),
)
def test_nothing_else_is_nulled(sent, expected):
    assert _error({**IDENTITY, "gps_latitude": -200, **sent}, POSITION) == expected


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_a_number_that_is_not_json_rejects_the_record_and_names_the_field(constant):
    data = json.dumps({**IDENTITY, "vehicle_speed": -1, "gps_latitude": 12345}).replace("12345", constant).encode()
    assert _error(data, ALL) == ("out_of_range", "gps_latitude")


def test_a_jitter_below_the_decimals_is_one_value():
    policy = read_metric_policy("", "gps_latitude=5, gps_longitude=0")
    readings = {
        _decode({**IDENTITY, "gps_latitude": latitude, "gps_longitude": longitude}, policy)
        for latitude, longitude in ((52.5200041, -0.4), (52.5200044, 0.0), (52.5199968, 0.4))
    }
    (reading,) = readings
    assert (reading.gps_latitude, reading.nulled) == (52.52, ())
    assert {math.copysign(1, each.gps_longitude) for each in readings} == {1.0}


def test_rounding_changes_no_other_metric_and_no_verdict():
    policy = read_metric_policy("", ",".join(f"{metric.name}=0" for metric in NUMBERS if metric.name != "fuel_level"))
    reading = _decode({**IDENTITY, "fuel_level": 1.23456789, "gps_latitude": 89.99999, "brake_status": "Good"}, policy)
    assert (reading.fuel_level, reading.gps_latitude, reading.brake_status) == (1.23456789, 90.0, "Good")
    assert reading.gps_speed is None
    # Out of range is out of range, although it rounds to the limit.
    assert _error({**IDENTITY, "gps_latitude": 90.0001}, policy) == ("out_of_range", "gps_latitude")


def test_a_policy_is_read_from_its_settings():
    assert read_metric_policy("", "") == read_metric_policy("  ", " ") == MetricPolicy()
    assert read_metric_policy(" gps_latitude ,gps_longitude", "gps_latitude = 5") == MetricPolicy(
        POSITION.null_out_of_range, {"gps_latitude": 5}
    )
    assert ALL.null_out_of_range == {metric.name for metric in METRICS}


@pytest.mark.parametrize(
    ("nulled", "decimals", "message"),
    [
        ("gps_latitud", "", "null_out_of_range='gps_latitud': 'gps_latitud' is not one of battery_voltage"),
        ("all, gps_latitude", "", "'all' is not one of"),
        ("gps_latitude,", "", "'' is not one of"),
        ("truck_id", "", "'truck_id' is not one of"),
        ("", "gps_latitude", "each part is <metric>=<decimals>"),
        ("", "gps_latitude=-1", "each part is"),
        ("", "gps_latitude=10", "each part is"),
        ("", "gps_latitude=\u0665", "each part is"),
        ("", "brake_status=1", "'brake_status' is not one of"),
        ("", "gps_latitude=5,gps_latitude=6", "gps_latitude is given twice"),
    ],
)
def test_an_unusable_policy_is_refused_in_words(nulled, decimals, message):
    with pytest.raises(MetricPolicyError) as caught:
        read_metric_policy(nulled, decimals)
    assert message in str(caught.value)
