"""A truck's readings, in either of the two shapes that devices send.

``TelemetryReading`` is the only source of the metrics' names, order, units, ranges and places in the nested shape.
``METRICS`` and the decoders are derived from it.

Decoding first tries one typed decode of the shape that the record seems to have.  It refuses every key that it does not
know.  A refused record goes the thorough path, which handles keys in any mixture of cases and shapes, unknown keys, and
every error.  So the typed decoders only accept, never reject, and the thorough path accepts whatever they accept, with
the same result.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from math import isfinite
from operator import attrgetter
from typing import Annotated, Any, Literal, Protocol, cast, get_args

import msgspec

from include.contracts.errors import ContractError, short_repr
from include.contracts.json_object import UNREADABLE, check_object
from include.contracts.metric_policy import DEFAULT_METRIC_POLICY, MetricPolicy
from include.contracts.text import BLANKS, require_id, require_text
from include.contracts.times import DEFAULT_TIME_LIMITS, TimeLimits, canonical_event_time

MAX_TRUCK_ID_LENGTH = 64
# Columns of the history that the pipeline itself fills; values that a device sends for them are ignored.
PIPELINE_COLUMNS = ("load_timestamp", "effective_start_date", "effective_end_date", "is_current")


def _number(minimum: float, maximum: float, unit: str, nested: str) -> msgspec.Meta:
    return msgspec.Meta(ge=minimum, le=maximum, extra={"unit": unit, "nested": nested})


def _status(nested: str) -> msgspec.Meta:
    return msgspec.Meta(min_length=1, max_length=64, extra={"unit": "characters", "nested": nested})


class TelemetryReading(msgspec.Struct, frozen=True, gc=False):
    """One truck at one instant.  Its identity is (truck_id, event_time).  A metric that was not sent is None.

    ``event_time`` is canonical UTC text (``2025-03-17T15:35:54.597252``).  Ranges are inclusive.  ``nulled`` has each
    metric that was sent outside its range and is None by the deployment's policy, and a short repr of what was sent.
    """

    truck_id: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TRUCK_ID_LENGTH)]
    event_time: str
    gps_latitude: Annotated[float, _number(-90, 90, "°", "gps_location.latitude")] | None = None
    gps_longitude: Annotated[float, _number(-180, 180, "°", "gps_location.longitude")] | None = None
    gps_altitude: Annotated[float, _number(-500, 9000, "m", "gps_location.altitude")] | None = None
    gps_speed: Annotated[float, _number(0, 200, "mph", "gps_location.speed")] | None = None
    vehicle_speed: Annotated[float, _number(0, 200, "mph", "vehicle_speed")] | None = None
    engine_rpm: Annotated[float, _number(0, 8000, "rpm", "engine_diagnostics.engine_rpm")] | None = None
    fuel_level: Annotated[float, _number(0, 100, "%", "engine_diagnostics.fuel_level")] | None = None
    engine_temperature: Annotated[float, _number(-60, 250, "°C", "engine_diagnostics.engine_temperature")] | None = None
    oil_pressure: Annotated[float, _number(0, 200, "psi", "engine_diagnostics.oil_pressure")] | None = None
    battery_voltage: Annotated[float, _number(0, 60, "V", "engine_diagnostics.battery_voltage")] | None = None
    odometer_reading: Annotated[float, _number(0, 5_000_000, "mi", "odometer_reading")] | None = None
    fuel_consumption: Annotated[float, _number(0, 200, "gal/h", "fuel_consumption")] | None = None
    brake_status: Annotated[str, _status("vehicle_health_and_maintenance.brake_status")] | None = None
    tire_pressure_front_left: (
        Annotated[float, _number(0, 200, "psi", "vehicle_health_and_maintenance.tire_pressure.front_left")] | None
    ) = None
    tire_pressure_front_right: (
        Annotated[float, _number(0, 200, "psi", "vehicle_health_and_maintenance.tire_pressure.front_right")] | None
    ) = None
    tire_pressure_rear_left: (
        Annotated[float, _number(0, 200, "psi", "vehicle_health_and_maintenance.tire_pressure.rear_left")] | None
    ) = None
    tire_pressure_rear_right: (
        Annotated[float, _number(0, 200, "psi", "vehicle_health_and_maintenance.tire_pressure.rear_right")] | None
    ) = None
    transmission_status: Annotated[str, _status("vehicle_health_and_maintenance.transmission_status")] | None = None
    environment_temperature: Annotated[float, _number(-90, 70, "°C", "environmental_conditions.temperature")] | None = (
        None
    )
    environment_humidity: Annotated[float, _number(0, 100, "%", "environmental_conditions.humidity")] | None = None
    environment_pressure: (
        Annotated[float, _number(300, 1100, "hPa", "environmental_conditions.atmospheric_pressure")] | None
    ) = None
    nulled: tuple[tuple[str, str], ...] = ()


# The fields that are metrics: all but the identity and the mark.
_METRIC_FIELDS = msgspec.structs.fields(TelemetryReading)[2:-1]


class Metric(msgspec.Struct, frozen=True):
    """One of the 21 attributes of a reading.

    ``minimum`` and ``maximum`` are inclusive and in ``unit``; for text they bound its length in characters.
    """

    name: str
    kind: Literal["number", "text"]
    unit: str
    minimum: float
    maximum: float
    nested_path: tuple[str, ...]

    @property
    def rule(self) -> str:
        """The rule in words, for errors."""
        if self.kind == "text":
            return f"text of {self.minimum:g} to {self.maximum:g} characters"
        return f"a finite number from {self.minimum:.7g} to {self.maximum:.7g} {self.unit}"

    def check(self, value: object) -> float | str | None:
        """Return ``value`` as the contract stores it; None stays None.

        Raises:
            ContractError: ``wrong_type`` or ``out_of_range``.
        """
        if value is None:
            return None
        if self.kind == "text":
            return require_text(value, self.name, int(self.minimum), int(self.maximum))
        if type(value) is not float and type(value) is not int:  # A bool is an int, but no measurement.
            raise ContractError("wrong_type", self.name, short_repr(value), self.rule)
        if not self.minimum <= value <= self.maximum:  # Rejects NaN too: it compares False.
            raise ContractError("out_of_range", self.name, short_repr(value), self.rule)
        return float(value)


def _metrics() -> Iterator[Metric]:
    for field in _METRIC_FIELDS:
        described, _none = get_args(field.type)
        sent_as, meta = get_args(described)
        unit, path = meta.extra["unit"], tuple(meta.extra["nested"].split("."))
        if sent_as is str:
            yield Metric(field.name, "text", unit, meta.min_length, meta.max_length, path)
        else:
            yield Metric(field.name, "number", unit, float(meta.ge), float(meta.le), path)


METRICS: tuple[Metric, ...] = tuple(_metrics())


# The values of the metrics in the order of METRICS: each number a float, each text a str, None where nothing was sent.
_MetricValues = Sequence[Any]
# Name of a nulled metric and a short repr of the value that was sent, in the order of METRICS.
_Nulled = tuple[tuple[str, str], ...]


def decode_reading(
    data: bytes,
    *,
    now: datetime,
    limits: TimeLimits = DEFAULT_TIME_LIMITS,
    policy: MetricPolicy = DEFAULT_METRIC_POLICY,
) -> TelemetryReading:
    """Decode a reading in either shape.

    Flat: the names of the metrics, ``truck_id`` and ``timestamp``.  Nested: the paths of ``METRICS``, ``truck_id`` and
    ``timestamp``.  Keys may be in any case of ASCII.  Unknown keys and the pipeline's own columns are ignored.

    Args:
        data: the record as it came from the stream.
        now: the clock, aware.
        limits: how far the reading's own time may lie from ``now``.
        policy: which metrics are nulled and which are rounded.

    Raises:
        ContractError: the bytes break the contract.  No bytes raise anything else.
    """
    timestamp: object
    metrics: _MetricValues
    nulled: _Nulled = ()
    try:
        truck_id, timestamp, metrics = _decode_known_shape(data)
    except UNREADABLE:
        truck_id, timestamp, metrics, nulled = decode_thoroughly(data, policy)
    if policy.decimals:
        metrics = _rounded(metrics, policy.decimals)
    event_time = canonical_event_time(timestamp, "timestamp", now, limits)
    # mypy takes *metrics for all the arguments that are left; a keyword would cost a tenth of the decoding.
    return TelemetryReading(truck_id, event_time, *metrics, nulled)  # type: ignore[call-arg]


def _rounded(metrics: _MetricValues, decimals: Mapping[str, int]) -> _MetricValues:
    """The values with at most ``decimals``.  Limits are whole numbers, so a value stays in its range."""
    return [
        # + 0.0 turns minus zero into zero: a jitter around zero is one value.
        round(value, decimals[metric.name]) + 0.0 if metric.name in decimals and value is not None else value
        for metric, value in zip(METRICS, metrics, strict=True)
    ]


# --- The shapes that devices send, one typed decode each -------------------------------------------------------------


class _Sent(Protocol):
    """A decoded record; its metrics are attributes under the names of its shape."""

    truck_id: str
    timestamp: str


# A field of a struct: (name, type), or (name, type, default).
_Field = tuple[str, Any] | tuple[str, Any, Any]


def _sent_struct(name: str, fields: list[_Field], names: dict[str, str]) -> type[msgspec.Struct]:
    return msgspec.defstruct(name, fields, rename=names, forbid_unknown_fields=True, kw_only=True, gc=False)


def _decoder(struct: type[msgspec.Struct]) -> Callable[[bytes], _Sent]:
    return cast("Callable[[bytes], _Sent]", msgspec.json.Decoder(struct).decode)


_metric_types = {field.name: field.type for field in _METRIC_FIELDS}
_identity: list[_Field] = [("truck_id", msgspec.structs.fields(TelemetryReading)[0].type), ("timestamp", str)]
_ignored: list[_Field] = [(column, str | int | float | bool | None, None) for column in PIPELINE_COLUMNS]


def _flat_decoder(key: Callable[[str], str], time_key: str) -> Callable[[bytes], _Sent]:
    fields = [*_identity, *((name, sent_as, None) for name, sent_as in _metric_types.items()), *_ignored]
    names = {field[0]: key(field[0]) for field in fields} | {"timestamp": time_key}
    return _decoder(_sent_struct("SentFlat", fields, names))


def _nested_decoder() -> Callable[[bytes], _Sent]:
    def group(name: str, depth: int, metrics: list[Metric]) -> type[msgspec.Struct]:
        fields = [*_identity, *_ignored] if depth == 0 else []
        groups: dict[str, list[Metric]] = {}
        for metric in metrics:
            if len(metric.nested_path) == depth + 1:
                fields.append((metric.nested_path[depth], _metric_types[metric.name], None))
            else:
                groups.setdefault(metric.nested_path[depth], []).append(metric)
        for child, members in groups.items():
            struct = group(child, depth + 1, members)
            fields.append((child, struct, msgspec.field(default_factory=struct)))
        return _sent_struct(f"Sent_{name}", fields, {})

    return _decoder(group("nested", 0, list(METRICS)))


_decode_upper = _flat_decoder(str.upper, "TIMESTAMP")
_decode_upper_with_lower_timestamp = _flat_decoder(str.upper, "timestamp")
_decode_lower = _flat_decoder(str.lower, "timestamp")
_decode_nested = _nested_decoder()
_flat_metrics = attrgetter(*(metric.name for metric in METRICS))
_nested_metrics = attrgetter(*(".".join(metric.nested_path) for metric in METRICS))
# Places of the metrics that are text.
_BRAKES, _TRANSMISSION = (place for place, metric in enumerate(METRICS) if metric.kind == "text")


def _decode_known_shape(data: bytes) -> tuple[str, str, _MetricValues]:
    """(truck_id, timestamp as sent, metrics) by one typed decode, of the shape that the bytes suggest.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError, RecursionError: the record needs the thorough path.
    """
    metrics: _MetricValues
    if b'"gps_location"' in data:
        sent = _decode_nested(data)
        metrics = _nested_metrics(sent)
    else:
        if b'"TRUCK_ID"' in data:
            sent = _decode_upper(data) if b'"TIMESTAMP"' in data else _decode_upper_with_lower_timestamp(data)
        else:
            sent = _decode_lower(data)
        metrics = _flat_metrics(sent)
    truck_id, brakes, transmission = sent.truck_id, metrics[_BRAKES], metrics[_TRANSMISSION]
    # A quick test, as no control character is printable.  A pattern of msgspec costs half a microsecond per text.
    if (
        truck_id.isprintable()
        and truck_id.strip(BLANKS) == truck_id
        and (brakes is None or brakes.isprintable())
        and (transmission is None or transmission.isprintable())
    ):
        return truck_id, sent.timestamp, metrics
    raise msgspec.ValidationError("a text may break the contract")


# --- Everything else -------------------------------------------------------------------------------------------------


class _KeyTree(msgspec.Struct):
    """The known keys of an object, in lower case: those of values, with their name in the contract, and of groups."""

    names: dict[str, str] = {}
    groups: dict[str, "_KeyTree"] = {}


def _key_tree() -> _KeyTree:
    """The keys of both shapes together."""
    tree = _KeyTree({"truck_id": "truck_id", "timestamp": "timestamp"})
    for metric in METRICS:
        tree.names[metric.name] = metric.name
        branch = tree
        for group in metric.nested_path[:-1]:
            branch = branch.groups.setdefault(group, _KeyTree())
        branch.names[metric.nested_path[-1]] = metric.name
    return tree


_KEYS = _key_tree()


def decode_thoroughly(
    data: bytes, policy: MetricPolicy = DEFAULT_METRIC_POLICY
) -> tuple[str, object, list[float | str | None], _Nulled]:
    """(truck_id, timestamp as sent, metrics, nulled) of any object that holds a reading, under keys of any case.

    Raises:
        ContractError: for every reason except those of the event time.
    """
    return check_object(data, partial(_check, policy))


def _check(policy: MetricPolicy, document: dict[str, object]) -> tuple[str, object, list[float | str | None], _Nulled]:
    sent: dict[str, object] = {}
    _collect(document, _KEYS, sent)
    truck_id = require_id(sent.get("truck_id"), "truck_id", MAX_TRUCK_ID_LENGTH)
    timestamp = sent.get("timestamp")
    if timestamp is None:
        raise ContractError("missing", "timestamp", None, "required")
    metrics: list[float | str | None] = []
    nulled: list[tuple[str, str]] = []
    for metric in METRICS:
        value = sent.get(metric.name)
        try:
            metrics.append(metric.check(value))
        except ContractError as error:
            if error.reason != "out_of_range" or metric.name not in policy.null_out_of_range or _is_no_json(value):
                raise
            metrics.append(None)
            nulled.append((metric.name, short_repr(value)))
    return truck_id, timestamp, metrics, tuple(nulled)


def _is_no_json(value: object) -> bool:
    """Whether ``value`` is NaN or infinite: no JSON has it, so its record is rejected in any case."""
    return isinstance(value, float) and not isfinite(value)


def _collect(document: dict[str, object], keys: _KeyTree, sent: dict[str, object]) -> None:
    """Copy the known keys of ``document`` into ``sent``, under their names in the contract."""
    for key, value in document.items():
        folded = key.lower()
        group = keys.groups.get(folded)
        name = keys.names.get(folded) if group is None else folded
        # Every known key is ASCII.  Some other characters become ASCII in lower case: the Kelvin sign is no k.
        if name is None or not key.isascii():
            continue
        if name in sent:
            rule = "given once: upper and lower case, and the two shapes, are the same to the contract"
            raise ContractError("ambiguous_key", name, short_repr(key), rule)
        sent[name] = value
        if group is not None and value is not None:
            if type(value) is not dict:
                raise ContractError("wrong_type", name, short_repr(value), "a JSON object")
            _collect(value, group, sent)
