"""The statements of ``sql/``, rendered the same way wherever they run.

Jinja is used for two things only: lists of the telemetry attributes, which come from the contracts so that they can't
drift, and the few parameters of a deployment (``{{ params.telemetry_bucket }}``).  Values are bound, never rendered:
``{{ bind("since") }}`` is the marker ``%(since)s`` of one.
:data:`CONTEXT` is what a template sees: :func:`render` uses it, DAGs take it as ``user_defined_macros`` (with
:data:`SQL_DIRECTORY` as ``template_searchpath``), and sqlfluff through ``sql/lint/context``.
"""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

import jinja2

from include.contracts import MAX_CLOCK_SKEW, METRICS
from include.contracts.click import MAX_CLICK_COUNTS, MAX_ITEM_ID_LENGTH, MAX_ITEM_NAME_LENGTH
from include.contracts.telemetry import MAX_TRUCK_ID_LENGTH

SQL_DIRECTORY = Path(__file__).resolve().parent.parent / "sql"

#: The 21 telemetry attributes, in the order of the tables' columns.
ATTRIBUTES: tuple[str, ...] = tuple(metric.name.upper() for metric in METRICS)


def attributes(alias: str = "") -> str:
    """The attributes as a select list, each of table ``alias`` where one is given: ``r.gps_latitude, …``."""
    prefix = f"{alias}." if alias else ""
    return ", ".join(f"{prefix}{name}" for name in ATTRIBUTES)


def attribute_assignments(alias: str) -> str:
    """The attributes as the SET list of an UPDATE from table ``alias``: ``gps_latitude = c.gps_latitude, …``."""
    return ", ".join(f"{name} = {alias}.{name}" for name in ATTRIBUTES)


def bind(name: str) -> str:
    """The marker of a bound value, ``%(name)s``; the linter, which can't parse one, is given a literal instead."""
    return f"%({name})s"


def last_arrival_first(alias: str = "") -> str:
    """The window that puts first, of each truck and instant, the reading of table ``alias`` that arrived last.

    Sequence numbers are whole numbers too long for a NUMBER, written without zeros in front: the longer one is higher.
    Of several landings of one record the first counts: they say the same, and LOAD_TIMESTAMP stays what it was.
    """
    of = f"{alias}." if alias else ""
    return (
        f"partition by {of}TRUCK_ID, {of}EVENT_TIME"
        f" order by {of}ARRIVAL_TIME desc, length({of}SEQUENCE_NUMBER) desc, {of}SEQUENCE_NUMBER desc,"
        f" {of}SHARD_ID desc, {of}LOAD_TIMESTAMP asc, {of}FILE_NAME asc, {of}FILE_ROW_NUMBER asc"
    )


def is_canonical_time(column: str) -> str:
    """A condition: the text in ``column`` is a time as the contracts write it, ``2025-03-17T15:35:54.597252``."""
    return f"{column} rlike '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}[.][0-9]{{6}}'"


#: Limits of the contracts besides those of the metrics; lengths in characters.
LIMITS = MappingProxyType(
    {
        "truck_id_length": MAX_TRUCK_ID_LENGTH,
        "item_id_length": MAX_ITEM_ID_LENGTH,
        "item_name_length": MAX_ITEM_NAME_LENGTH,
        "click_counts": MAX_CLICK_COUNTS,
        "clock_skew_minutes": int(MAX_CLOCK_SKEW.total_seconds()) // 60,
    }
)

#: Everything a template may use besides ``params``.
CONTEXT = MappingProxyType(
    {
        "metrics": METRICS,
        "attributes": attributes,
        "attribute_assignments": attribute_assignments,
        "bind": bind,
        "is_canonical_time": is_canonical_time,
        "limits": LIMITS,
        "last_arrival_first": last_arrival_first,
    }
)

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(SQL_DIRECTORY),
    undefined=jinja2.StrictUndefined,
    autoescape=False,  # noqa: S701  SQL, not HTML, and no value is ever rendered into it.
    keep_trailing_newline=True,
)


def render(path: str, **params: str) -> str:
    """The text of ``sql/<path>`` as the warehouse gets it.

    Raises:
        jinja2.TemplateNotFound: there is no such file.
        jinja2.UndefinedError: the text uses a parameter that was not given.
    """
    return _TEMPLATES.get_template(path).render(CONTEXT, params=params)
