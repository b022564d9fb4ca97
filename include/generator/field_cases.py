"""What real devices and producers send: the catalogue of field cases, and how each record of them ends.

A case takes an event as a good device writes it, and changes it as a device, a library or a producer in the field does.
It says whether the contract accepts the result, or for which reason it goes to quarantine, and which quality rules
warn of it.  The kinds come from public bug reports of people who run fleets, clickstreams and Kinesis.
"""

from __future__ import annotations

import base64
import copy
import gzip
import random
import string
from collections.abc import Callable, Mapping
from itertools import cycle
from typing import Any, Literal

import msgspec

from include.contracts import METRICS
from include.contracts.errors import Reason
from include.contracts.times import to_canonical
from include.generator.aggregates import aggregate
from include.generator.event_times import to_datetime

Source = Literal["clicks", "readings"]
Selection = Literal["passing", "all"]

_CLICKS: tuple[Source, ...] = ("clicks",)
_READINGS: tuple[Source, ...] = ("readings",)
_encode = msgspec.json.Encoder().encode
_DAY = 86_400_000_000  # µs
_NESTED_PATHS = {metric.name: metric.nested_path for metric in METRICS}


class FieldEvent:
    """An event that a case changes.

    Attributes:
        document: as a good device writes it, in any of the shapes.
        memory: of a case that lasts, from its first event to its last.
        identity, at: what identifies the event: the item or truck, and its time in µs since 1970.
        rng: the source of all choices.
    """

    def __init__(self, document: dict[str, Any], identity: str, at: int, rng: random.Random) -> None:
        self.document = document
        self.identity = identity
        self.at = at
        self.rng = rng
        self.memory: dict[str, Any] = {}

    @property
    def is_reading(self) -> bool:
        return any(key.lower() == "truck_id" for key in self.document)

    @property
    def time(self) -> str:
        """The event's time as canonical text."""
        return to_canonical(to_datetime(self.at))

    def key(self, field: str) -> str:
        """The key of the document that holds ``field``, which is at the top in every shape."""
        return next(key for key in self.document if key.lower() == field)

    def number(self, metric: str) -> float:
        """The value of a metric that is a number."""
        group, key = self._place(metric)
        return float(group[key])

    def put(self, field: str, value: object) -> None:
        """Write ``value`` in the place of ``field``."""
        group, key = self._place(field)
        group[key] = value

    def put_id(self, value: object) -> None:
        """Write ``value`` as the id of the truck or item."""
        self.put("truck_id" if self.is_reading else "item_id", value)

    def rename(self, identity: str) -> None:
        """Let the event be that of another truck or item."""
        self.identity = identity
        self.put_id(identity)

    def move(self, microseconds: int) -> None:
        """Let the event have happened that much later."""
        self.at += microseconds
        self.put("timestamp", self.time)

    def encoded(self) -> bytes:
        return _encode(self.document)

    def copy(self) -> FieldEvent:
        return FieldEvent(copy.deepcopy(self.document), self.identity, self.at, self.rng)

    def _place(self, field: str) -> tuple[dict[str, Any], str]:
        """The object that holds ``field``, and its key there."""
        for key in self.document:
            if key.lower() == field:
                return self.document, key
        *groups, key = _NESTED_PATHS[field]
        group = self.document
        for name in groups:
            group = group[name]
        return group, key


Make = Callable[[FieldEvent], bytes]


class FieldCase(msgspec.Struct, frozen=True):
    """One kind of record from the field.

    Attributes:
        name: stable, in the manifest.
        make: changes the event and returns the bytes of the record.
        reason: why the record is quarantined; None if it is accepted.
        warned_by: the quality rules that warn of a single such record.
        sources: the streams that see it.
        lasts: events of the device that it goes on for, the first included.  Only the first one counts in the share of
            records from the field.
        parts: the cases of the events that one aggregated record holds.  Each event ends as its own case says.
        passes: whether its effect passes.  A new truck, an event of another decade and a count that dwarfs all others
            stay visible on every page, so traffic that runs on and on leaves them out.
    """

    name: str
    make: Make
    reason: Reason | None = None
    warned_by: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ("clicks", "readings")
    passes: bool = True
    lasts: int = 1
    parts: tuple[FieldCase, ...] = ()


def cases_of(source: Source, selection: Selection = "all") -> list[FieldCase]:
    """The cases that the stream of ``source`` sees."""
    return [case for case in FIELD_CASES.values() if source in case.sources and (case.passes or selection == "all")]


class FieldTraffic:
    """Chooses the case of each record that one stream gets from the field: every case in turn, in any order."""

    def __init__(self, source: Source, selection: Selection, rng: random.Random) -> None:
        cases = cases_of(source, selection)
        rng.shuffle(cases)
        self._cases = cycle(cases)
        self._source = source
        # By device: the case that lasts, its memory, and how many events are left.
        self._lasting: dict[str, tuple[FieldCase, dict[str, Any], int]] = {}

    def lasts(self, identity: str) -> bool:
        """Whether the next event of this truck or item is one of a case that lasts."""
        return self._device(identity) in self._lasting

    def case_of(self, event: FieldEvent, *, is_new: bool) -> FieldCase:
        """The case of this event, with which a new case begins, or one that lasts continues."""
        device = self._device(event.identity)
        if is_new:
            case = next(self._cases)
            left = case.lasts
        else:
            case, event.memory, left = self._lasting.pop(device)
        if left > 1:
            self._lasting[device] = case, event.memory, left - 1
        return case

    def _device(self, identity: str) -> str:
        # A truck is a device of its own.  All clicks come through one shop.
        return identity if self._source == "readings" else ""


# --- Times -----------------------------------------------------------------------------------------------------------


def _time_text(write: Callable[[FieldEvent], object]) -> Make:
    """The same instant in another notation."""

    def make(event: FieldEvent) -> bytes:
        event.put("timestamp", write(event))
        return event.encoded()

    return make


def _with_offset(offset: str, minutes: int) -> Make:
    """The event's local time, ``minutes`` ahead of UTC, with an offset as ``offset`` writes it."""
    return _time_text(lambda event: to_canonical(to_datetime(event.at + minutes * 60_000_000)) + offset)


def _appended(text: str) -> Make:
    return _time_text(lambda event: event.time + text)


def _moved(microseconds: int) -> Make:
    def make(event: FieldEvent) -> bytes:
        event.move(microseconds)
        return event.encoded()

    return make


_TIMES = (
    FieldCase("offset_with_60_minutes", _with_offset("+05:60", 360), "bad_time"),
    FieldCase("offset_with_99_minutes", _with_offset("-03:99", -279), "bad_time"),
    FieldCase("offset_of_a_whole_day", _with_offset("+24:00", 1440), "bad_time"),
    FieldCase("offset_with_seconds", _with_offset("+00:19:32", 19), "bad_time"),
    FieldCase("offset", _with_offset("+05:30", 330)),
    FieldCase("offset_without_colon", _with_offset("-0800", -480)),
    FieldCase("offset_of_hours_only", _with_offset("+02", 120)),
    FieldCase("offset_of_minus_zero", _with_offset("-00:00", 0)),
    FieldCase("offset_as_a_name", _appended(" UTC"), "bad_time"),
    FieldCase("t_in_lower_case", _time_text(lambda event: event.time.replace("T", "t")), "bad_time"),
    FieldCase("zulu_in_lower_case", _appended("z"), "bad_time"),
    FieldCase("space_instead_of_t", _time_text(lambda event: event.time.replace("T", " "))),
    FieldCase("seven_decimals_of_dotnet", _appended("3Z")),
    FieldCase("nine_decimals_of_go_and_java", _appended("789Z")),
    FieldCase("ten_decimals", _appended("7890Z"), "bad_time"),
    FieldCase("comma_before_the_decimals", _time_text(lambda event: event.time.replace(".", ",")), "bad_time"),
    FieldCase("epoch_seconds", _time_text(lambda event: event.at // 1_000_000), "bad_time"),
    FieldCase("epoch_with_decimals", _time_text(lambda event: event.at / 1_000_000), "bad_time"),
    FieldCase("basic_format", _time_text(lambda event: to_datetime(event.at).strftime("%Y%m%dT%H%M%SZ")), "bad_time"),
    FieldCase("epoch_milliseconds_as_text", _time_text(lambda event: str(event.at // 1000)), "bad_time"),
    FieldCase("date_only", _time_text(lambda event: event.time[:10]), "bad_time"),
    FieldCase("leap_second", _time_text(lambda event: event.time[:17] + "60Z"), "bad_time"),
    FieldCase(
        "day_that_does_not_exist", _time_text(lambda event: f"{event.time[:4]}-02-30{event.time[10:]}"), "bad_time"
    ),
    FieldCase("hour_24", _time_text(lambda event: event.time[:11] + "24:00:00"), "bad_time"),
    FieldCase("us_date", _time_text(lambda event: to_datetime(event.at).strftime("%m/%d/%Y %I:%M:%S %p")), "bad_time"),
    FieldCase("year_9999", _time_text(lambda event: "9999-12-31T23:59:59.999999"), "in_future"),
    FieldCase("local_time_without_offset", _moved(120 * 60_000_000), "in_future"),
    FieldCase("gps_week_rollover", _moved(-1024 * 7 * _DAY), passes=False),
    FieldCase("clock_without_battery", _moved(-9_000 * _DAY), passes=False),
)


# --- Ids -------------------------------------------------------------------------------------------------------------


def _wrong_id(write: Callable[[FieldEvent], object]) -> Make:
    """An id that the contract refuses."""

    def make(event: FieldEvent) -> bytes:
        event.put_id(write(event))
        return event.encoded()

    return make


def _other_id(write: Callable[[FieldEvent], str]) -> Make:
    """An id that the contract accepts, and that is another truck or item."""

    def make(event: FieldEvent) -> bytes:
        event.rename(write(event))
        return event.encoded()

    return make


# Letters that look like those of the default ids.
_CYRILLIC = str.maketrans("TLMA", "\u0422\u041b\u041c\u0410")

_FULL_WIDTH = {ord(character): ord(character) + 0xFEE0 for character in string.ascii_uppercase + string.digits}

_IDS = (
    FieldCase("id_empty", _wrong_id(lambda event: ""), "out_of_range"),
    FieldCase("id_blank", _wrong_id(lambda event: "  "), "bad_text"),
    FieldCase("id_padded", _wrong_id(lambda event: event.identity + " "), "bad_text"),
    FieldCase("id_with_invisible_end", _wrong_id(lambda event: event.identity + "\u200b"), "bad_text"),
    FieldCase("id_with_line_break", _wrong_id(lambda event: event.identity + "\r\n"), "bad_text"),
    FieldCase("id_with_nul", _wrong_id(lambda event: event.identity + "\0"), "bad_text"),
    FieldCase("id_null", _wrong_id(lambda event: None), "missing"),
    FieldCase("id_number", _wrong_id(lambda event: 355_000_000_000_017), "wrong_type"),
    FieldCase("id_too_long", _wrong_id(lambda event: event.identity * 50), "out_of_range"),
    FieldCase(
        "id_in_lower_case", _other_id(lambda event: event.identity.lower()), warned_by=("ids_look_alike",), passes=False
    ),
    FieldCase(
        "id_with_cyrillic_letter",
        _other_id(lambda event: event.identity.translate(_CYRILLIC)),
        warned_by=("ids_look_alike",),
        passes=False,
    ),
    FieldCase(
        "id_in_full_width",
        _other_id(lambda event: event.identity.translate(_FULL_WIDTH)),
        warned_by=("ids_look_alike",),
        passes=False,
    ),
    FieldCase(
        "id_with_invisible_character",
        _other_id(lambda event: f"{event.identity[:3]}\u200b{event.identity[3:]}"),
        warned_by=("ids_look_alike",),
        passes=False,
    ),
    FieldCase("id_with_a_hyphen", _other_id(lambda event: f"{event.identity[:3]}-{event.identity[3:]}"), passes=False),
    FieldCase(
        "id_placeholder",
        _other_id(lambda event: event.rng.choice(("NO_IMEI", "000000000000000", "unknown"))),
        warned_by=("ids_are_no_placeholders",),
        passes=False,
    ),
)


# --- Keys ------------------------------------------------------------------------------------------------------------


def _renamed_key(field: str, key: str) -> Make:
    def make(event: FieldEvent) -> bytes:
        event.document[key] = event.document.pop(event.key(field))
        return event.encoded()

    return make


def _key_in_two_cases(event: FieldEvent) -> bytes:
    event.document |= {"TRUCK_ID": event.identity, "truck_id": event.identity}
    return event.encoded()


def _repeated_key(event: FieldEvent) -> bytes:
    """JSON that names a key twice: the last value wins."""
    key = event.key("timestamp")
    return b'{"%s":"yesterday",%s' % (key.encode(), event.encoded()[1:])


def _unknown_keys(event: FieldEvent) -> bytes:
    event.document |= {"firmware": "4.2.1", "IMEI": "355000000000017", "raw": {"0x0C": [3, 255]}, "größe": 3}
    return event.encoded()


_KEYS = (
    FieldCase("key_with_kelvin_sign", _renamed_key("truck_id", "TRUC\u212a_ID"), "missing", sources=_READINGS),
    FieldCase("key_in_camel_case", _renamed_key("timestamp", "timeStampUtc"), "missing"),
    FieldCase("key_in_two_cases", _key_in_two_cases, "ambiguous_key", sources=_READINGS),
    FieldCase("key_twice", _repeated_key),
    FieldCase("keys_that_nobody_knows", _unknown_keys),
)


# --- Encodings -------------------------------------------------------------------------------------------------------


def _wrapped(wrap: Callable[[bytes], bytes]) -> Make:
    return lambda event: wrap(event.encoded())


def _two_lines(event: FieldEvent) -> bytes:
    first = event.encoded()
    event.move(-1)
    return first + b"\n" + event.encoded() + b"\n"


_ENCODINGS = (
    FieldCase("gzip", _wrapped(lambda data: gzip.compress(data, mtime=0)), "not_json"),
    FieldCase("base64", _wrapped(base64.b64encode), "not_json"),
    FieldCase("json_in_json", _wrapped(lambda data: _encode(data.decode())), "not_an_object"),
    FieldCase("array_of_events", _wrapped(lambda data: b"[" + data + b"," + data + b"]"), "not_an_object"),
    FieldCase("ndjson", _two_lines, "not_json"),
    FieldCase("byte_order_mark", _wrapped(lambda data: b"\xef\xbb\xbf" + data), "not_json"),
    FieldCase("utf_16", _wrapped(lambda data: data.decode().encode("utf-16")), "not_json"),
    FieldCase("latin_1", _wrapped(lambda data: data[:-1] + b',"fahrer":"M\xfcller"}'), "not_json"),
    FieldCase("python_repr", lambda event: repr(event.document).encode(), "not_json"),
    FieldCase("form_encoded", lambda event: f"id={event.identity}&timestamp={event.time}".encode(), "not_json"),
    FieldCase("message_pack", lambda event: msgspec.msgpack.encode(event.document), "not_json"),
    FieldCase("trailing_nul", _wrapped(lambda data: data + b"\0"), "not_json"),
    FieldCase("trailing_comma", _wrapped(lambda data: data[:-1] + b",}"), "not_json"),
    FieldCase("cut_at_a_buffer", _wrapped(lambda data: data[:64]), "not_json"),
    FieldCase("trailing_newline", _wrapped(lambda data: data + b"\r\n")),
    FieldCase("pretty_printed", _wrapped(lambda data: msgspec.json.format(data, indent=2))),
)


# --- Several events in one record -----------------------------------------------------------------------------------


_USUAL = FieldCase("as_usual", FieldEvent.encoded)
_TWO_TEXTS = FieldCase("json_in_json", _wrapped(lambda data: _encode(data.decode())), "not_an_object")


def _aggregate_of_two(event: FieldEvent) -> bytes:
    return aggregate([(event.identity, event.encoded())] * 2)


def _changed_aggregate(event: FieldEvent) -> bytes:
    data = bytearray(_aggregate_of_two(event))
    data[event.rng.randrange(4, len(data))] ^= 1
    return bytes(data)


_AGGREGATES = (
    FieldCase("aggregate", FieldEvent.encoded, parts=(_USUAL, _USUAL, _USUAL)),
    FieldCase("aggregate_with_one_bad_event", FieldEvent.encoded, parts=(_USUAL, _TWO_TEXTS, _USUAL)),
    FieldCase("aggregate_cut_off", lambda event: _aggregate_of_two(event)[:-20], "broken_aggregate"),
    FieldCase("aggregate_with_a_changed_bit", _changed_aggregate, "broken_aggregate"),
    FieldCase("aggregate_and_a_newline", lambda event: _aggregate_of_two(event) + b"\n", "broken_aggregate"),
)


# --- Values ----------------------------------------------------------------------------------------------------------


def _with(**values: object) -> Make:
    def make(event: FieldEvent) -> bytes:
        for field, value in values.items():
            event.put(field, value)
        return event.encoded()

    return make


def _event_id(value: object) -> Make:
    def make(event: FieldEvent) -> bytes:
        event.document["Event_ID"] = value
        return event.encoded()

    return make


def _raw(field: str, text: bytes) -> Make:
    """``text`` as the value of ``field``, byte for byte."""

    def make(event: FieldEvent) -> bytes:
        event.put(field, "\u2603")
        return event.encoded().replace('"\u2603"'.encode(), text)

    return make


def _kilometres_as_miles(event: FieldEvent) -> bytes:
    """The receiver reports km/h in a field of mph."""
    speed = 20 + 40 * event.rng.random()
    event.put("vehicle_speed", round(speed, 1))
    event.put("gps_speed", round(speed * 1.609344, 1))
    return event.encoded()


_HOSTILE_TEXTS = (
    "![x](https://host.invalid/p.png)",
    ":red[ok]",
    "[ok](https://host.invalid)",
    "$x$",
    "<img src=x onerror=alert(1)>",
    "**ok** :material/bug_report: `x`",
    "=1+1",
    "'; drop table TRUCK_TELEMETRY_DATA; --",
    "{{ 7 * 7 }}",
    "%(name)s %s ? :1",
)


def _stuck(event: FieldEvent) -> bytes:
    """One sensor repeats a value while the truck moves."""
    event.put("environment_humidity", event.memory.setdefault("humidity", event.number("environment_humidity")))
    return event.encoded()


def _robot(event: FieldEvent) -> bytes:
    """One item is clicked again and again."""
    item, name = event.memory.setdefault("item", (event.identity, event.document["Item_Name"]))
    event.rename(item)
    event.document |= {"Item_Name": name, "Click_Counts": 1}
    return event.encoded()


def _hostile(field: str) -> Make:
    def make(event: FieldEvent) -> bytes:
        event.put(field, event.rng.choice(_HOSTILE_TEXTS))
        return event.encoded()

    return make


_FLAG_OF_ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
_FAMILY = "\U0001f469\U0001f3fd\u200d\U0001f469\U0001f3fb\u200d\U0001f467"

_VALUES = (
    FieldCase(
        "no_fix_0_0",
        _with(gps_latitude=0.0, gps_longitude=0.0),
        warned_by=("positions_are_on_roads",),
        sources=_READINGS,
    ),
    FieldCase("no_fix_minus_200", _with(gps_latitude=-200.0, gps_longitude=-200.0), "out_of_range", sources=_READINGS),
    FieldCase(
        "jump_to_nairobi",
        _with(gps_latitude=-1.2921, gps_longitude=36.8219),
        warned_by=("positions_do_not_jump",),
        sources=_READINGS,
    ),
    FieldCase(
        "temperature_0xff", _with(engine_temperature=215.0), warned_by=("values_are_measured",), sources=_READINGS
    ),
    FieldCase(
        "speed_0xffff",
        _with(vehicle_speed=159.07, gps_speed=159.07),
        warned_by=("values_are_measured",),
        sources=_READINGS,
    ),
    FieldCase("engine_speed_0xffff", _with(engine_rpm=8191.875), "out_of_range", sources=_READINGS),
    FieldCase("raw_0xff", _with(fuel_level=255), "out_of_range", sources=_READINGS),
    FieldCase("raw_0xffffffff", _with(odometer_reading=4_294_967_295), "out_of_range", sources=_READINGS),
    FieldCase("minus_one_for_unknown", _with(oil_pressure=-1), "out_of_range", sources=_READINGS),
    FieldCase("minus_999_for_unknown", _with(environment_temperature=-999.9), "out_of_range", sources=_READINGS),
    FieldCase("odometer_reset", _with(odometer_reading=0.0), warned_by=("odometers_advance",), sources=_READINGS),
    FieldCase("kilometres_as_miles", _kilometres_as_miles, sources=_READINGS, lasts=30),
    FieldCase("stuck_sensor", _stuck, sources=_READINGS, lasts=60, passes=False),
    FieldCase("robot", _robot, sources=_CLICKS, lasts=30),
    FieldCase(
        "engine_in_fahrenheit",
        _with(engine_temperature=185.0),
        warned_by=("temperatures_are_in_celsius",),
        sources=_READINGS,
    ),
    FieldCase("air_in_fahrenheit", _with(environment_temperature=95.0), "out_of_range", sources=_READINGS),
    FieldCase("number_as_text", _with(fuel_level="55.2"), "wrong_type", sources=_READINGS),
    FieldCase("decimal_comma", _with(fuel_level="55,2"), "wrong_type", sources=_READINGS),
    FieldCase("number_with_unit", _with(fuel_level="55 %"), "wrong_type", sources=_READINGS),
    FieldCase("number_with_exponent", _raw("engine_rpm", b"1.25E3"), sources=_READINGS),
    FieldCase("number_beyond_any_float", _raw("engine_rpm", b"1e400"), "out_of_range", sources=_READINGS),
    FieldCase("number_with_leading_zero", _raw("engine_rpm", b"0800"), "not_json", sources=_READINGS),
    FieldCase("hostile_status", _hostile("brake_status"), sources=_READINGS),
    FieldCase("status_with_nul", _with(brake_status="Good\0\0\0"), "bad_text", sources=_READINGS),
    FieldCase("status_as_code", _with(brake_status=0), "wrong_type", sources=_READINGS),
    FieldCase("hostile_name", _hostile("item_name"), sources=_CLICKS),
    FieldCase("name_with_flag_of_england", _with(item_name=f"Mug {_FLAG_OF_ENGLAND}"), sources=_CLICKS),
    FieldCase("name_with_family_and_skin_tones", _with(item_name=f"Toy {_FAMILY}"), sources=_CLICKS),
    FieldCase("name_of_two_lines", _with(item_name="Aurora X5\nSmartphone"), "bad_text", sources=_CLICKS),
    FieldCase("name_too_long", _with(item_name="x" * 513), "out_of_range", sources=_CLICKS),
    FieldCase("counts_with_point", _raw("click_counts", b"3.0"), "wrong_type", sources=_CLICKS),
    FieldCase("counts_with_exponent", _raw("click_counts", b"3e0"), "wrong_type", sources=_CLICKS),
    FieldCase("counts_as_text", _with(click_counts="3"), "wrong_type", sources=_CLICKS),
    FieldCase("counts_negative", _with(click_counts=-1), "out_of_range", sources=_CLICKS),
    FieldCase("counts_beyond_2_to_the_53", _with(click_counts=2**53 + 1), "out_of_range", sources=_CLICKS),
    FieldCase("event_id_null", _event_id(None), sources=_CLICKS),
    FieldCase("event_id_as_a_number", _event_id(7_340_032_000_000_017), "wrong_type", sources=_CLICKS),
    FieldCase("event_id_blank", _event_id(" "), "bad_text", sources=_CLICKS),
    FieldCase("event_id_empty", _event_id(""), "out_of_range", sources=_CLICKS),
    FieldCase("counts_of_2_to_the_53", _with(click_counts=2**53), sources=_CLICKS, passes=False),
)

#: Every case by its name.
FIELD_CASES: Mapping[str, FieldCase] = {
    case.name: case for case in (*_TIMES, *_IDS, *_KEYS, *_ENCODINGS, *_AGGREGATES, *_VALUES)
}
