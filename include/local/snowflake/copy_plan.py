"""COPY INTO as a plan: the statement, checked and translated to DuckDB's expressions over the lines of files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from . import copy_functions, engine, errors, stages
from .context import Context
from .names import Key, quoted

# Any other option is refused.
_OPTIONS = {"FILE_FORMAT", "FILES", "PATTERN", "ON_ERROR", "FORCE", "PURGE"}
_METADATA = {
    "METADATA$FILENAME": "file_name",
    "METADATA$FILE_ROW_NUMBER": "row_number",
    "METADATA$START_SCAN_TIME": "scan_time",
    "METADATA$FILE_LAST_MODIFIED": "last_modified",
    "METADATA$FILE_CONTENT_KEY": "content_key",
}


@dataclass(frozen=True)
class Target:
    """The table to load: the columns that COPY fills, their DuckDB types, and which of them may not be NULL."""

    table: Key
    columns: tuple[str, ...]
    types: tuple[str, ...]
    required: tuple[bool, ...]

    @property
    def quoted(self) -> str:
        return quoted(self.table)


@dataclass(frozen=True)
class Transformation:
    """The SELECT of a COPY, translated."""

    expressions: tuple[str, ...]  # DuckDB, over the columns of the lines table and "fields"
    fields: dict[str, str]  # top-level keys read from each line, with their type
    strict_fields: dict[str, str]  # the same, numbers as DOUBLE: for lines that have all of these keys
    sources: tuple[str | None, ...]  # for messages: the JSON key that each expression casts


@dataclass(frozen=True)
class CopyPlan:
    """A COPY statement, checked and translated."""

    target: Target
    location: stages.Location
    compression: str
    on_error: str
    files: tuple[str, ...] | None
    pattern: str | None
    force: bool
    transformation: Transformation


def plan_copy(context: Context, expression: exp.Copy, *, on_error: str = "ABORT_STATEMENT") -> CopyPlan:
    """Check and translate a COPY INTO; ``on_error`` is the default of its option ON_ERROR.

    Raises:
        SnowflakeError: it is malformed, names an object that does not exist, or can't be honoured.
    """
    given = options(expression)
    if unknown := set(given) - _OPTIONS:
        raise errors.unsupported(f"COPY INTO ... {sorted(unknown)[0]}")
    if given.get("PURGE"):
        raise errors.unsupported("COPY INTO ... PURGE = TRUE")
    if not expression.args.get("kind"):
        raise errors.unsupported("COPY INTO a location (unloading)")
    source = expression.args["files"][0]
    if isinstance(source, exp.Subquery):
        select = source.this
        stage = select.args["from_"].this
    else:
        raise errors.unsupported("COPY INTO without a transformation (FROM (SELECT $1:key::type, ... FROM @stage))")
    if any(select.args.get(clause) for clause in ("where", "joins", "group", "order", "limit", "distinct")):
        raise errors.compilation_error("COPY statement only supports simple SELECT from stage statements for import.")
    for each in select.expressions:
        copy_functions.check(each)
    location = stages.locate(context, stage.this.name)
    file_format = stages.file_format(context, given.get("FILE_FORMAT", location.file_format))
    target = _target(context, expression.this)
    if len(select.expressions) != len(target.columns):
        raise errors.compilation_error(
            "Insert value list does not match column list "
            f"expecting {len(target.columns)} but got {len(select.expressions)}",
            2020,
            "21S01",
        )
    transformation = _transformation(context, select.expressions, target)
    on_error = str(given.get("ON_ERROR", on_error)).upper()
    if not re.fullmatch(r"CONTINUE|ABORT_STATEMENT|SKIP_FILE(_\d+%?)?", on_error):
        raise errors.compilation_error(f"invalid value [{on_error}] for parameter 'ON_ERROR'")
    return CopyPlan(
        target=target,
        location=location,
        compression=str(file_format.get("COMPRESSION", "AUTO")).upper(),
        on_error=on_error,
        files=tuple(given["FILES"]) if "FILES" in given else None,
        pattern=given.get("PATTERN"),
        force=bool(given.get("FORCE", False)),
        transformation=transformation,
    )


def options(expression: exp.Copy) -> dict[str, Any]:
    """The options of a COPY, by name."""
    found: dict[str, Any] = {}
    for parameter in expression.args.get("params") or []:
        name = parameter.this.name.upper()
        if parameter.expressions:
            if name == "FILE_FORMAT":
                found[name] = {each.this.name.upper(): _value(each.args["value"]) for each in parameter.expressions}
            else:
                found[name] = [_value(each) for each in parameter.expressions]
        else:
            found[name] = _value(parameter.expression)
    files = found.get("FILES")
    if files is not None and not isinstance(files, list):
        found["FILES"] = [files]
    return found


def _target(context: Context, into: exp.Expr) -> Target:
    table = into.this if isinstance(into, exp.Schema) else into
    if not isinstance(table, exp.Table):
        raise errors.unsupported(f"COPY INTO {into.sql('snowflake')[:60]}")
    key = context.resolve_table(table)
    found = engine.columns(context.duck, key)
    if not found:
        raise errors.does_not_exist("Table", ".".join(key))
    asked = into.expressions if isinstance(into, exp.Schema) else []
    columns = [each.name if each.quoted else each.name.upper() for each in asked] or list(found)
    for column in columns:
        if column not in found:
            raise errors.compilation_error(f"invalid identifier '{column}'", 904)
    types = tuple(found[column][0] for column in columns)
    required = tuple(not found[column][1] for column in columns)
    return Target(key, tuple(columns), types, required)


def _transformation(context: Context, selected: Sequence[exp.Expr], target: Target) -> Transformation:
    text = tuple(each.sql("snowflake") for each in selected)
    key = context.translation_key((text, target.types))
    return context.instance.translations.get(key, lambda: _translate(context, selected, target))


def _translate(context: Context, selected: Sequence[exp.Expr], target: Target) -> Transformation:
    fields: dict[str, str] = {}
    rewritten = [_over_lines(each, fields) for each in selected]
    translated = context.translator.translate(exp.select(*rewritten))
    computed = [each.unalias() for each in translated.expressions]
    return Transformation(
        expressions=tuple(
            f"CAST({each.sql('duckdb')} AS {kind})" for each, kind in zip(computed, target.types, strict=True)
        ),
        fields=fields,
        strict_fields=fields | dict.fromkeys(_numbers(computed, target.types), "DOUBLE"),
        sources=tuple(_field_name(each) for each in selected),
    )


def _value(node: exp.Expr | None) -> Any:
    match node:
        case exp.Boolean():
            return bool(node.this)
        case exp.Tuple():
            return [_value(each) for each in node.expressions]
        case exp.Paren():
            return [_value(node.this)]
        case exp.Literal():
            return node.this if node.is_string else int(node.this)
        case exp.Column() | exp.Table():
            return ".".join(part.name for part in node.parts)
        case None:
            return None
    return node.name or node.sql("snowflake")


def _is_document(node: exp.Expr) -> bool:
    """$1, or alias.$1."""
    if isinstance(node, exp.Column):
        node = node.this
    return (isinstance(node, exp.Parameter) and node.name == "1") or (
        isinstance(node, exp.Identifier) and node.name == "$1"
    )


def _single_key(node: exp.Expr) -> str | None:
    """``key`` of ``$1:key``."""
    if not isinstance(node, exp.JSONExtract) or not _is_document(node.this):
        return None
    path = node.expression.expressions if isinstance(node.expression, exp.JSONPath) else []
    keys = [part.this for part in path if isinstance(part, exp.JSONPathKey)]
    return keys[0] if len(keys) == 1 and len(path) == 2 else None


def _field_name(expression: exp.Expr) -> str | None:
    return next((key for node in expression.find_all(exp.JSONExtract) if (key := _single_key(node))), None)


def _over_lines(expression: exp.Expr, fields: dict[str, str]) -> exp.Expr:
    """Rewrite an expression over a staged file to one over the lines table; add the fields it needs to ``fields``."""
    document = exp.column(exp.to_identifier("line", quoted=True))

    def rewrite(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Cast) and (key := _single_key(node.this)):
            clash = any(other != key and other.lower() == key.lower() for other in fields)
            if not clash and fields.get(key, "VARCHAR") == "VARCHAR":
                fields[key] = "VARCHAR"
                value = exp.column(exp.to_identifier(key, quoted=True), table=exp.to_identifier("fields", quoted=True))
                return type(node)(this=value, to=node.to.copy())
        if isinstance(node, exp.Cast) and isinstance(node.this, exp.JSONExtract) and _is_document(node.this.this):
            text = exp.JSONExtractScalar(this=document.copy(), expression=node.this.expression.copy())
            return type(node)(this=text, to=node.to.copy())
        if isinstance(node, exp.Column) and node.name.upper() in _METADATA:
            return exp.column(exp.to_identifier(_METADATA[node.name.upper()], quoted=True))
        if _is_document(node):
            return exp.cast(document.copy(), "JSON")
        if isinstance(node, exp.Column):
            raise errors.compilation_error(f"invalid identifier '{node.sql('snowflake')}'", 904)
        return node

    return expression.unalias().copy().transform(rewrite)


def _numbers(computed: Sequence[exp.Expr], types: Sequence[str]) -> set[str]:
    """The fields that are only ever cast to DOUBLE, for columns of that type."""
    numbers: set[str] = set()
    others: set[str] = set()
    for each, kind in zip(computed, types, strict=True):
        is_number = kind == "DOUBLE" and isinstance(each, exp.Cast) and each.is_type("DOUBLE")
        field = each.this if is_number else None
        if isinstance(field, exp.Column) and field.table == "fields":
            numbers.add(field.name)
        else:
            others.update(column.name for column in each.find_all(exp.Column) if column.table == "fields")
    return numbers - others
