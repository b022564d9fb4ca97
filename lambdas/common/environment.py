"""A function's environment variables as a typed struct, read once when the container starts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, TypeVar

import msgspec

from include.contracts import MetricPolicy, TimeLimits, read_metric_policy

Seconds = Annotated[int, msgspec.Meta(ge=0)]
NotEmpty = Annotated[str, msgspec.Meta(min_length=1)]


class EventTimes(msgspec.Struct, frozen=True, kw_only=True):
    """How far an event's own time may lie from its arrival, ahead and behind (unset: any).

    As in every struct for ``read``, a field is a variable of the same name: ``MAX_CLOCK_SKEW_SECONDS`` and so on.
    """

    max_clock_skew_seconds: Seconds = 600
    max_event_age_seconds: Seconds | None = None

    @property
    def time_limits(self) -> TimeLimits:
        age = self.max_event_age_seconds
        return TimeLimits(
            timedelta(seconds=self.max_clock_skew_seconds), None if age is None else timedelta(seconds=age)
        )


class ProcessorEnvironment(EventTimes, frozen=True, kw_only=True):
    """The variables that the template sets for both stream processors and the intake."""

    bucket: NotEmpty
    quarantine_prefix: NotEmpty


class EnvironmentVariableError(ValueError):
    """A variable is missing or unusable; the message names it."""


class _MetricSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The variables that the template sets for the functions that judge readings."""

    null_out_of_range: str = ""
    metric_decimals: str = ""


def metric_policy(environ: Mapping[str, str]) -> MetricPolicy:
    """Which metrics the deployment nulls and rounds.

    Raises:
        MetricPolicyError: a variable is unusable.
    """
    found = read(_MetricSettings, environ)
    return read_metric_policy(found.null_out_of_range, found.metric_decimals)


T = TypeVar("T", bound=msgspec.Struct)


def read(shape: type[T], environ: Mapping[str, str]) -> T:
    """``environ`` as ``shape``; a variable that is set to an empty text counts as unset.

    Raises:
        EnvironmentVariableError: a variable is missing or not of its field's type.
    """
    values = {}
    for field in msgspec.structs.fields(shape):
        variable = field.name.upper()
        if given := environ.get(variable):
            try:
                values[field.name] = msgspec.convert(given, field.type, strict=False)
            except msgspec.ValidationError as error:
                raise EnvironmentVariableError(f"environment variable {variable}={given!r}: {error}") from error
        elif field.required:
            raise EnvironmentVariableError(f"environment variable {variable} is missing")
    return shape(**values)
