import json
import math
from datetime import UTC, datetime

import msgspec
import pytest

from include.contracts import METRICS, ContractError, TelemetryReading, decode_reading

pytestmark = pytest.mark.unit

NOW = datetime(2025, 3, 17, 15, 36, tzinfo=UTC)
IDENTITY = {"truck_id": "TRK001", "timestamp": "2025-03-17T15:35:54.597252"}
NUMBERS = [metric for metric in METRICS if metric.kind == "number"]
TEXTS = [metric for metric in METRICS if metric.kind == "text"]

# ARCHITECTURE's "Contracts", written out a second time on purpose.
RANGES = {
    "gps_latitude": (-90, 90), "gps_longitude": (-180, 180), "gps_altitude": (-500, 9000), "gps_speed": (0, 200),
    "vehicle_speed": (0, 200), "engine_rpm": (0, 8000), "fuel_level": (0, 100), "engine_temperature": (-60, 250),
    "oil_pressure": (0, 200), "battery_voltage": (0, 60), "odometer_reading": (0, 5_000_000),
    "fuel_consumption": (0, 200), "brake_status": (1, 64), "tire_pressure_front_left": (0, 200),
    "tire_pressure_front_right": (0, 200), "tire_pressure_rear_left": (0, 200), "tire_pressure_rear_right": (0, 200),
    "transmission_status": (1, 64), "environment_temperature": (-90, 70), "environment_humidity": (0, 100),
    "environment_pressure": (300, 1100),
}  # fmt: skip


def _nest(path: tuple[str, ...], value) -> dict:
    for key in reversed(path):
        value = {key: value}
    return value


def _flat_upper(metric, value) -> dict:
    return {"TRUCK_ID": "TRK001", "TIMESTAMP": IDENTITY["timestamp"], metric.name.upper(): value}


def _flat_lower(metric, value) -> dict:
    return {**IDENTITY, metric.name: value}


def _flat_mixed(metric, value) -> dict:
    return {"Truck_Id": "TRK001", "Timestamp": IDENTITY["timestamp"], metric.name.title(): value}


def _nested(metric, value) -> dict:
    return {**IDENTITY, **_nest(metric.nested_path, value)}


SHAPES = [_flat_upper, _flat_lower, _flat_mixed, _nested]


def _decode(document: dict, now=NOW) -> TelemetryReading:
    return decode_reading(json.dumps(document).encode(), now=now)


def _error(document: dict | bytes) -> ContractError:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    with pytest.raises(ContractError) as caught:
        decode_reading(data, now=NOW)
    return caught.value


def test_metrics_are_the_struct_in_its_order_with_the_agreed_ranges():
    assert [metric.name for metric in METRICS] == list(TelemetryReading.__struct_fields__[2:-1])
    assert {metric.name: (metric.minimum, metric.maximum) for metric in METRICS} == RANGES
    assert all(metric.unit for metric in METRICS)
    assert len({metric.nested_path for metric in METRICS}) == 21


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("metric", NUMBERS, ids=lambda metric: metric.name)
def test_range_is_inclusive_in_every_shape(metric, shape):
    for limit in (metric.minimum, metric.maximum, int(metric.minimum), int(metric.maximum)):
        value = getattr(_decode(shape(metric, limit)), metric.name)
        assert value == limit
        assert type(value) is float
    for beyond in (math.nextafter(metric.minimum, -math.inf), math.nextafter(metric.maximum, math.inf), 10**30):
        error = _error(shape(metric, beyond))
        assert (error.reason, error.field) == ("out_of_range", metric.name)
        assert metric.unit in error.rule


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("metric", TEXTS, ids=lambda metric: metric.name)
def test_status_of_1_to_64_characters_is_accepted_whatever_it_says(metric, shape):
    for status in ("x", "é" * 64, "Never heard of"):
        assert getattr(_decode(shape(metric, status)), metric.name) == status
    for status in ("", "x" * 65):
        assert _error(shape(metric, status)).reason == "out_of_range"


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_wrong_type_names_the_field_in_every_shape(metric, shape):
    wrong = [True, [], {}, "55" if metric.kind == "number" else 55]
    for value in wrong:
        error = _error(shape(metric, value))
        assert (error.reason, error.field) == ("wrong_type", metric.name)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400"])
def test_nan_and_infinity_name_the_field_in_every_shape(constant, shape):
    metric = NUMBERS[4]
    error = _error(json.dumps(shape(metric, 12345)).replace("12345", constant).encode())
    assert (error.reason, error.field) == ("out_of_range", metric.name)


def test_error_names_field_value_and_rule():
    error = _error({**IDENTITY, "engine_temperature": 250.5})
    assert (error.field, error.value) == ("engine_temperature", "250.5")
    assert error.rule == "a finite number from -60 to 250 °C"


def test_minus_zero_is_zero():
    assert _decode({**IDENTITY, "vehicle_speed": -0.0}).vehicle_speed == 0


def test_event_time_is_canonical_utc():
    assert _decode({**IDENTITY, "timestamp": "2025-03-17T16:35:54.5+01:00"}).event_time == "2025-03-17T15:35:54.500000"


@pytest.mark.parametrize("key", ["TRUCK_ID", "Truck_ID", "tRUCK_iD"])
def test_truck_id_in_two_cases_is_ambiguous(key):
    error = _error({**IDENTITY, key: "TRK002"})
    assert (error.reason, error.field) == ("ambiguous_key", "truck_id")


@pytest.mark.parametrize(
    "key",
    [
        "truc\u212a_id",
        "TRUC\u212a_ID",
        "TRUCK_\u0130D",
        "truck_\u0131d",
        "\uff34ruck_id",
        "truck_id\u200b",
        "truc\u043a_id",
    ],
    ids=["kelvin", "kelvin_upper", "dotted_i", "dotless_i", "full_width", "zero_width", "cyrillic"],
)
def test_a_key_that_only_looks_like_an_identity_is_an_unknown_key(key):
    """Only ASCII letters fold: str.lower() would make a k of the Kelvin sign."""
    assert _error({key: "TRK002", "timestamp": IDENTITY["timestamp"]}).reason == "missing"
    assert _decode({**IDENTITY, key: "TRK002"}) == _decode(IDENTITY)
    assert _decode({**{name.upper(): value for name, value in IDENTITY.items()}, key: 7}) == _decode(IDENTITY)


def test_a_metric_s_key_folds_as_ascii_in_every_shape():
    assert _decode({**IDENTITY, "bra\u212ae_status": "Good"}).brake_status is None
    assert _decode({**IDENTITY, "vehicle_health_and_maintenance": {"bra\u212ae_status": "Good"}}).brake_status is None
    assert _decode({**IDENTITY, "tran\u017fmission_status": "Operational"}).transmission_status is None


def test_timestamp_in_two_cases_beside_upper_case_metrics_is_ambiguous():
    sent = {"TRUCK_ID": "TRK001", "TIMESTAMP": IDENTITY["timestamp"], "timestamp": IDENTITY["timestamp"]}
    assert _error(sent).field == "timestamp"


@pytest.mark.parametrize("value", [None, 55.0], ids=["null", "the_same_value"])
def test_two_cases_of_a_metric_are_ambiguous_whatever_they_hold(value):
    error = _error({**IDENTITY, "vehicle_speed": 55.0, "VEHICLE_SPEED": value})
    assert (error.reason, error.field) == ("ambiguous_key", "vehicle_speed")


def test_group_in_two_cases_is_ambiguous():
    error = _error({**IDENTITY, "gps_location": {"latitude": 1.0}, "GPS_Location": {"longitude": 1.0}})
    assert (error.reason, error.field) == ("ambiguous_key", "gps_location")


def test_the_same_key_twice_in_one_case_is_no_ambiguity_and_the_last_wins():
    first = b'{"truck_id":"TRK009","timestamp":1,"fuel_level":-1'
    last = b',"truck_id":"TRK001","timestamp":"2025-03-17T15:35:54","fuel_level":5}'
    reading = decode_reading(first + last, now=NOW)
    assert (reading.truck_id, reading.fuel_level) == ("TRK001", 5.0)


def test_metrics_of_both_shapes_together_are_joined():
    reading = _decode({**IDENTITY, "gps_location": {"latitude": 1.5}, "gps_longitude": 2.5})
    assert (reading.gps_latitude, reading.gps_longitude) == (1.5, 2.5)


def test_pipeline_columns_and_unknown_keys_are_ignored_whatever_they_hold():
    sent = {**IDENTITY, "IS_CURRENT": {"a": [1]}, "load_timestamp": 7, "LOAD_TIMESTAMP": 8, "Firmware": None, "x": "y"}
    assert _decode(sent) == _decode(IDENTITY)


def test_unknown_keys_inside_groups_are_ignored():
    assert _decode({**IDENTITY, "gps_location": {"latitude": 1.5, "satellites": 9}}).gps_latitude == 1.5


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", b"{" * 5000, b'{"a":' * 5000 + b"0" + b"}" * 5000, b"\xff\xfe{\x00}\x00", b"\x1f\x8b" * 500_000],
)
def test_noise_is_not_json(data):
    error = _error(data)
    assert error.reason == "not_json"
    assert len(error.value) <= 200


def test_reading_can_be_encoded_under_the_table_s_names():
    document = json.loads(msgspec.json.encode(_decode({**IDENTITY, "fuel_level": 7})))
    assert list(document) == ["truck_id", "event_time", *RANGES, "nulled"]
    assert document["fuel_level"] == 7.0
    assert document["gps_speed"] is None
