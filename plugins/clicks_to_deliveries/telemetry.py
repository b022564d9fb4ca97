"""Numbers and spans of tasks, for OpenTelemetry or StatsD (docs/telemetry.md).

Airflow sends them if its settings [metrics] and [traces] say so.  Otherwise every call here does nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from clicks_to_deliveries.airflow_releases import task_stats
from include import naming

# Airflow puts its own "airflow." before it.
PREFIX = naming.airflow("clicks_to_deliveries")


def count(part: str, numbers: Mapping[str, int]) -> None:
    """Add each number to its counter, ``clicks_to_deliveries.<part>.<name>``."""
    for name, number in numbers.items():
        task_stats().incr(f"{PREFIX}.{part}.{name}", number)


def measure(part: str, values: Mapping[str, float]) -> None:
    """Set each gauge, ``clicks_to_deliveries.<part>.<name>``, to what was just measured."""
    for name, value in values.items():
        task_stats().gauge(f"{PREFIX}.{part}.{name}", value)


@contextmanager
def span(name: str, **attributes: str | int) -> Iterator[None]:
    """Do a piece of work as a span of its own, within the task's."""
    from opentelemetry import trace

    stated = {f"{PREFIX}.{attribute}": value for attribute, value in attributes.items()}
    with trace.get_tracer(PREFIX).start_as_current_span(name, attributes=stated):
        yield


def trace_id() -> str | None:
    """Return the id of the trace that the running code is part of, as back ends show it; None if they get no trace.

    Airflow gives each run an id, also where traces are off: only a sampled one is sent.
    """
    from opentelemetry import trace

    current = trace.get_current_span().get_span_context()
    return trace.format_trace_id(current.trace_id) if current.trace_flags.sampled else None
