"""What differs between one deployment and the next, read from the environment in one place.

Connections (AWS, Snowflake) are Airflow's; names that never change are in include/names.py.  A laptop and an AWS
account run the same code with other values here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import Annotated

import msgspec

PREFIX = "CTD_"

Positive = Annotated[int, msgspec.Meta(ge=1)]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Each field is the environment variable ``CTD_<FIELD>``; one without a default must be set."""

    # Where provision_resources uploads the Lambda bundles; created if missing.  S3 names are global.
    deployment_bucket: str
    telemetry_bucket: str = "kinesis-telemetry-data-bucket"
    stack_name: str = "clicks-to-deliveries"

    # The Lambda runtime, and the platform for which compiled dependencies are bundled (a --python-platform of uv).
    lambda_runtime: str = "python3.13"
    lambda_architecture: str = "arm64"
    bundle_platform: str = "aarch64-manylinux_2_28"

    click_shards: Positive = 1
    truck_shards: Positive = 1
    # Spreads one item's clicks of one hour over so many partitions of the click index.
    click_index_shards: Positive = 1
    event_source_mappings_enabled: bool = True
    # Longest wait of a Lambda batch for more records, in seconds.
    batching_window_seconds: Annotated[int, msgspec.Meta(ge=0, le=300)] = 1
    # How long Firehose collects records for the raw archive: before it has them transformed, and again before it stores
    # an object.  Short makes many small objects.
    archive_interval_seconds: Annotated[int, msgspec.Meta(ge=0, le=900)] = 60

    # Where APIs are reached, if not at AWS's execute-api: a URL that <api id>/<stage> is appended to.
    api_endpoint: str = ""

    # A merge starts at most this often while data keeps coming, so that a warehouse can rest.
    merge_min_interval_seconds: Positive = 60
    # How often monitor_snowpipe looks: a cron expression.
    monitor_schedule: str = "*/5 * * * *"

    # Synthetic traffic: a cron expression (unset: only when triggered) and its size a run.
    traffic_schedule: str | None = None
    traffic_clicks_per_second: Positive = 10
    traffic_readings_per_second: Positive = 10


class SettingsError(ValueError):
    """A setting is missing or unusable; the message names the environment variable."""


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Settings from ``environ``.

    Raises:
        SettingsError: a required variable is missing, a value has the wrong type, or an unknown CTD_ variable is set
            (most likely a misspelt one, which would otherwise be ignored in silence).
    """
    given = {name.removeprefix(PREFIX).lower(): value for name, value in environ.items() if name.startswith(PREFIX)}
    fields = {field.name: field for field in msgspec.structs.fields(Settings)}
    if unknown := sorted(given.keys() - fields.keys()):
        raise SettingsError(f"unknown setting {PREFIX}{unknown[0].upper()}; known are {_variables(fields)}")
    if missing := [name for name, field in fields.items() if field.required and not given.get(name)]:
        raise SettingsError(f"missing setting {PREFIX}{missing[0].upper()}: set it in the environment")
    values = {name: value for name, value in given.items() if value != ""}
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"unusable setting: {error} (settings are the {PREFIX}* environment variables)") from error


@cache
def settings() -> Settings:
    """The settings of this process."""
    return read_settings(os.environ)


def _variables(fields: Mapping[str, object]) -> str:
    return ", ".join(f"{PREFIX}{name.upper()}" for name in fields)
