"""Stages and file formats: where COPY finds files in S3, and how it reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import account, errors
from .context import Context
from .grammar import Create, Describe, Drop, Show
from .names import name_in
from .results import Result

_STAGE_OPTIONS = {"URL", "STORAGE_INTEGRATION", "FILE_FORMAT", "COMMENT"}
_FORMAT_OPTIONS = {"TYPE", "COMPRESSION", "COMMENT"}
# Options that are accepted at their default.
_FORMAT_DEFAULTS = {
    "STRIP_OUTER_ARRAY": False,
    "STRIP_NULL_VALUES": False,
    "ENABLE_OCTAL": False,
    "ALLOW_DUPLICATE": False,
    "IGNORE_UTF8_ERRORS": False,
    "REPLACE_INVALID_CHARACTERS": False,
    "MULTI_LINE": True,
}
_COMPRESSIONS = {"AUTO", "GZIP", "NONE"}


@dataclass(frozen=True)
class Location:
    """A place in S3: ``bucket``, ``prefix`` of keys, and the file format that its stage names."""

    bucket: str
    prefix: str
    file_format: dict[str, Any] | str

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"


def create_stage(context: Context, statement: Create) -> Result:
    options = statement.options
    if unknown := set(options) - _STAGE_OPTIONS:
        raise errors.unsupported(f"CREATE STAGE ... {sorted(unknown)[0]}")
    url = options.get("URL")
    if not url or not url.startswith("s3://"):
        raise errors.unsupported("a stage without an s3:// URL")
    if integration := options.get("STORAGE_INTEGRATION"):
        account.check_location(context, integration, url)
    if "FILE_FORMAT" in options:
        file_format(context, options["FILE_FORMAT"])
    return _create(context, statement, f"Stage area {statement.name.last} successfully created.")


def create_file_format(context: Context, statement: Create) -> Result:
    _check_format(statement.options)
    return _create(context, statement, f"File format {statement.name.last} successfully created.")


def drop(context: Context, statement: Drop) -> Result:
    key = context.resolve(statement.name)
    if statement.if_exists and not context.catalog.find(context.duck, statement.kind, key):
        return Result.status("Drop statement executed successfully.")
    context.catalog.drop(context.duck, statement.kind, key)
    return Result.status(f"{statement.name.last} successfully dropped.")


def show(context: Context, statement: Show) -> Result:
    found = context.shown(statement)
    if statement.kind == "STAGE":
        columns = [
            "created_on",
            "name",
            "database_name",
            "schema_name",
            "url",
            "storage_integration",
            "type",
            "comment",
        ]
        rows = [
            (
                s.created_on,
                s.name,
                s.database,
                s.schema,
                s.definition["URL"],
                s.definition.get("STORAGE_INTEGRATION"),
                "EXTERNAL",
                s.definition.get("COMMENT", ""),
            )
            for s in found
        ]
        return Result.of(columns, rows)
    columns = ["created_on", "name", "database_name", "schema_name", "type", "comment"]
    formats = [
        (f.created_on, f.name, f.database, f.schema, f.definition.get("TYPE", "CSV"), f.definition.get("COMMENT", ""))
        for f in found
    ]
    return Result.of(columns, formats)


def describe(context: Context, statement: Describe) -> Result:
    found = context.catalog.get(context.duck, statement.kind, context.resolve(statement.name))
    rows = [(statement.kind, name, str(value)) for name, value in found.definition.items()]
    return Result.of(["parent_property", "property", "property_value"], rows)


def locate(context: Context, reference: str) -> Location:
    """``@[db.][schema.]stage[/path]`` as a place in S3."""
    stage_name, _, path = reference.removeprefix("@").partition("/")
    if not stage_name or stage_name[0] in "~%":
        raise errors.unsupported(f"the internal stage {reference}")
    stage = context.catalog.get(context.duck, "STAGE", context.resolve(name_in(stage_name)))
    bucket, _, prefix = stage.definition["URL"].removeprefix("s3://").partition("/")
    if path and prefix and not prefix.endswith("/"):
        prefix += "/"
    found = Location(bucket, prefix + path, stage.definition.get("FILE_FORMAT", {}))
    if integration := stage.definition.get("STORAGE_INTEGRATION"):
        account.check_location(context, integration, found.url)
    return found


def file_format(context: Context, stated: dict[str, Any] | str) -> dict[str, Any]:
    """The options, checked, of FILE_FORMAT = (FORMAT_NAME = ... | TYPE = ...), or of FILE_FORMAT = name."""
    options = {"FORMAT_NAME": stated} if isinstance(stated, str) else stated
    if name := options.get("FORMAT_NAME"):
        options = context.catalog.get(context.duck, "FILE FORMAT", context.resolve(name_in(str(name)))).definition
    _check_format(options)
    return options


def _check_format(options: dict[str, Any]) -> None:
    if str(options.get("TYPE", "CSV")).upper() != "JSON":
        raise errors.unsupported(f"file format TYPE = {options.get('TYPE', 'CSV')} (only JSON, one document per line)")
    if str(options.get("COMPRESSION", "AUTO")).upper() not in _COMPRESSIONS:
        raise errors.unsupported(f"file format COMPRESSION = {options['COMPRESSION']}")
    for option, value in options.items():
        if option not in _FORMAT_OPTIONS and _FORMAT_DEFAULTS.get(option, ...) != value:
            raise errors.unsupported(f"file format {option} = {value}")


def _create(context: Context, statement: Create, message: str) -> Result:
    key = context.resolve(statement.name)
    created = context.catalog.create(context.duck, statement, key, statement.options)
    return Result.status(message if created else f"{statement.name.last} already exists, statement succeeded.")
