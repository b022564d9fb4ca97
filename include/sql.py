"""The statements of ``sql/``, rendered the same way wherever they run.

Jinja serves two purposes only: lists and limits that come from the contracts, so that they can't drift, and the few
parameters of a deployment (``{{ params.telemetry_bucket }}``; ``{{ env }}`` before each name that carries the
environment, include/naming.py).  Values are bound, never rendered:
``{{ bind("since") }}`` is the marker ``%(since)s`` of one.
:data:`CONTEXT` is what a template can use.  :func:`render` passes it, DAGs take it as ``user_defined_macros`` (with
:data:`SQL_DIRECTORY` as ``template_searchpath``), and sqlfluff reads it through ``sql/lint/context``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from types import MappingProxyType

import jinja2

from include import names, naming, plausibility
from include.contracts import MAX_CLOCK_SKEW, METRICS
from include.contracts.click import MAX_CLICK_COUNTS, MAX_EVENT_ID_LENGTH, MAX_ITEM_ID_LENGTH, MAX_ITEM_NAME_LENGTH
from include.contracts.telemetry import MAX_TRUCK_ID_LENGTH, Metric
from include.contracts.text import BLANKS, CONTROLS
from include.trip_detection import trip_limits

SQL_DIRECTORY = Path(__file__).resolve().parent.parent / "sql"

#: The 21 telemetry attributes, in the order of the tables' columns.
ATTRIBUTES: tuple[str, ...] = tuple(metric.name.upper() for metric in METRICS)


#: The columns that say where a truck, and so its driver, is.
POSITIONS: tuple[str, ...] = ("GPS_LATITUDE", "GPS_LONGITUDE", "GPS_ALTITUDE")

#: Every column of TRUCK_TELEMETRY_DATA, in order.
HISTORY_COLUMNS: tuple[str, ...] = (
    "TRUCK_ID",
    "LOAD_TIMESTAMP",
    "EFFECTIVE_START_DATE",
    "EFFECTIVE_END_DATE",
    "IS_CURRENT",
    *ATTRIBUTES,
)


def attributes(alias: str = "") -> str:
    """Return the attributes as a select list, of table ``alias`` if one is given: ``R.GPS_LATITUDE, …``."""
    return _listed(ATTRIBUTES, alias)


def history_columns(alias: str = "") -> str:
    """Return the columns of the history as a select list, of table ``alias`` if one is given: ``R.TRUCK_ID, …``."""
    return _listed(HISTORY_COLUMNS, alias)


def consumer_attributes(masked: bool) -> str:
    """Return the attributes as a select list for consumers, the positions NULL unless a policy masks them."""
    return ", ".join(f"null::float as {name}" if name in POSITIONS and not masked else name for name in ATTRIBUTES)


def attribute_assignments(alias: str) -> str:
    """Return the SET list of an UPDATE from table ``alias``: ``GPS_LATITUDE = C.GPS_LATITUDE, …``."""
    return ", ".join(f"{name} = {alias}.{name}" for name in ATTRIBUTES)


def bind(name: str) -> str:
    """Return the marker of a bound value, ``%(name)s``.  The linter can't parse one, so it gets a literal instead."""
    return f"%({name})s"


def last_arrival_first(alias: str = "") -> str:
    """Return the window that puts the last arrival first, among the readings of one truck for one instant.

    Order: arrival, sequence number, sub-sequence number (NULL is 0).
    Sequence numbers are integers too long for a NUMBER, written without leading zeros: the longer one is higher.  If a
    record landed several times, the first landing counts: all say the same, and LOAD_TIMESTAMP does not change.
    If they don't say the same (a rule reports it) and nothing else tells them apart, a hash of the content decides, so
    that every statement takes the same one.
    """
    of = f"{alias}." if alias else ""
    return (
        f"partition by {of}TRUCK_ID, {of}EVENT_TIME"
        f" order by {of}ARRIVAL_TIME desc, length({of}SEQUENCE_NUMBER) desc, {of}SEQUENCE_NUMBER desc,"
        f" coalesce({of}SUB_SEQUENCE_NUMBER, 0) desc,"
        f" {of}SHARD_ID desc, {of}LOAD_TIMESTAMP asc, {of}FILE_NAME asc, {of}FILE_ROW_NUMBER asc,"
        f" hash({attributes(alias)}) asc"
    )


def is_canonical_time(column: str) -> str:
    """Return a condition: ``column`` has a time as the contracts write it, ``2025-03-17T15:35:54.597252``."""
    return f"{column} rlike '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}[.][0-9]{{6}}'"


def time_text(time: str) -> str:
    """Return a time with its six decimals as text: ``::string`` has three, so two readings of a truck could be one."""
    return f"to_varchar({time}, 'YYYY-MM-DD HH24:MI:SS.FF6')"


def is_text(column: str, maximum: int) -> str:
    """Return a condition: ``column`` has 1 to ``maximum`` characters, none of them a control character; NULL: NULL."""
    # [:cntrl:] is ASCII's, which includes NUL.  A literal can't hold NUL.
    others = _literal(character for character in CONTROLS if not character.isascii())
    return (
        f"length({column}) between 1 and {maximum} and {column} rlike '[^[:cntrl:]]+'"
        f" and translate({column}, {others}, '') = {column}"
    )


def is_id(column: str, maximum: int) -> str:
    """Return a condition: ``column`` has an id, that is a text that neither begins nor ends blank; NULL: NULL."""
    ends = f"left({column}, 1) || right({column}, 1)"
    return f"{is_text(column, maximum)} and length(translate({ends}, {_literal(BLANKS)}, '')) = 2"


def is_out_of_range(metric: Metric) -> str:
    """Return a condition: the column of ``metric`` is not as the contract says; NULL is."""
    name = metric.name.upper()
    if metric.kind == "text":
        return f"not ({is_text(name, int(metric.maximum))})"
    return f"{name} not between {metric.minimum} and {metric.maximum}"


#: The contracts' limits, except those of the metrics; lengths in characters.
LIMITS = MappingProxyType(
    {
        "truck_id_length": MAX_TRUCK_ID_LENGTH,
        "item_id_length": MAX_ITEM_ID_LENGTH,
        "item_name_length": MAX_ITEM_NAME_LENGTH,
        "event_id_length": MAX_EVENT_ID_LENGTH,
        "click_counts": MAX_CLICK_COUNTS,
        "clock_skew_minutes": int(MAX_CLOCK_SKEW.total_seconds()) // 60,
    }
)

#: Everything a template may use besides ``params``.
CONTEXT = MappingProxyType(
    {
        "env": naming.snowflake(""),
        "click_stream": names.CLICK_STREAM,
        "truck_stream": names.TRUCK_STREAM,
        "metrics": METRICS,
        "attributes": attributes,
        "positions": POSITIONS,
        "consumer_attributes": consumer_attributes,
        "history_columns": history_columns,
        "attribute_assignments": attribute_assignments,
        "bind": bind,
        "is_canonical_time": is_canonical_time,
        "is_id": is_id,
        "is_out_of_range": is_out_of_range,
        "is_text": is_text,
        "time_text": time_text,
        "limits": LIMITS,
        "last_arrival_first": last_arrival_first,
        "plausible": plausibility.plausible,
        "sentinels": plausibility.SENTINELS,
        "steady": plausibility.STEADY,
        "speed_ratios": plausibility.SPEED_RATIOS,
        "odometer_limits": plausibility.ODOMETER_LIMITS,
        "is_no_position": plausibility.is_no_position,
        "miles_between": plausibility.miles_between,
        "trip_limits": trip_limits,
    }
)

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(SQL_DIRECTORY),
    undefined=jinja2.StrictUndefined,
    autoescape=False,  # noqa: S701 - SQL, not HTML, and no value is ever rendered into it
    keep_trailing_newline=True,
)


def compile_templates() -> None:
    """Compile every template of ``sql/``: a process that is forked afterwards need not."""
    for path in _TEMPLATES.list_templates(extensions=["sql"]):
        _TEMPLATES.get_template(path)


def render(path: str, **params: str) -> str:
    """Return the text of ``sql/<path>`` as Snowflake gets it.

    Raises:
        jinja2.TemplateNotFound: there is no such file.
        jinja2.UndefinedError: the text uses a parameter that was not given.
    """
    return _TEMPLATES.get_template(path).render(CONTEXT, params=params)


def statement(path: str) -> str:
    """Return the one statement of ``sql/<path>``, without the semicolon at its end."""
    return render(path).strip().removesuffix(";")


def without_comments(text: str) -> str:
    """Return a statement without its lines of comments: it becomes part of another."""
    return re.sub(r"^--.*\n", "", text, flags=re.MULTILINE).strip()


def _literal(characters: Iterable[str]) -> str:
    """The characters as a text of SQL that is itself ASCII; none may be beyond U+FFFF."""
    return "'" + "".join(f"\\u{ord(character):04x}" for character in characters) + "'"


def _listed(columns: tuple[str, ...], alias: str) -> str:
    prefix = f"{alias}." if alias else ""
    return ", ".join(f"{prefix}{name}" for name in columns)
