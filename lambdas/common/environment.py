"""A function's environment variables as a typed struct, read once when the container starts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, TypeVar

import msgspec

Seconds = Annotated[int, msgspec.Meta(ge=0)]
NotEmpty = Annotated[str, msgspec.Meta(min_length=1)]


class EventTimes(msgspec.Struct, frozen=True, kw_only=True):
    """How far ahead of its arrival, and how far behind (unset: any), an event's own time may be.

    As in every struct of this kind, field ``max_clock_skew_seconds`` is the variable ``MAX_CLOCK_SKEW_SECONDS``, and so
    on.
    """

    max_clock_skew_seconds: Seconds = 600
    max_event_age_seconds: Seconds | None = None

    @property
    def max_clock_skew(self) -> timedelta:
        return timedelta(seconds=self.max_clock_skew_seconds)

    @property
    def max_event_age(self) -> timedelta | None:
        return None if self.max_event_age_seconds is None else timedelta(seconds=self.max_event_age_seconds)


class ProcessorEnvironment(EventTimes, frozen=True, kw_only=True):
    """What both processors of the streams are told by the template."""

    bucket: NotEmpty
    quarantine_prefix: NotEmpty


class EnvironmentVariableError(ValueError):
    """A variable is missing or unusable; the message names it."""


T = TypeVar("T", bound=msgspec.Struct)


def read(shape: type[T], environ: Mapping[str, str]) -> T:
    """``environ`` as ``shape``; a variable set to nothing counts as unset.

    Raises:
        EnvironmentVariableError: a variable is missing, or its value is not what the field demands.
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
