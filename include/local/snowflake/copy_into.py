"""COPY INTO a table from newline-delimited JSON in S3: many files a statement, rows and load history in one commit.

The files are read here, not by DuckDB: each once, side by side, so that a damaged one is that file's error.  Their
lines go to DuckDB as one Arrow table.  First the whole batch is computed optimistically; only if a line can't be parsed
or a value can't be cast are the lines examined one by one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from fakesnow.statement_type import COPY
from sqlglot import exp

from include.local.snowflake import errors, stages, storage
from include.local.snowflake.fakesnow_adapter import HIDDEN_SCHEMA
from include.local.snowflake.results import Result

if TYPE_CHECKING:
    from include.local.snowflake.session import Session

# Options that are honoured; any other is refused.
_OPTIONS = {"FILE_FORMAT", "FILES", "PATTERN", "ON_ERROR", "FORCE", "PURGE"}
_METADATA = {
    "METADATA$FILENAME": "file_name",
    "METADATA$FILE_ROW_NUMBER": "row_number",
    "METADATA$START_SCAN_TIME": "scan_time",
    "METADATA$FILE_LAST_MODIFIED": "last_modified",
    "METADATA$FILE_CONTENT_KEY": "content_key",
}
_RESULT_COLUMNS = [
    "file",
    "status",
    "rows_parsed",
    "rows_loaded",
    "error_limit",
    "errors_seen",
    "first_error",
    "first_error_line",
    "first_error_character",
    "first_error_column_name",
]
_WHITE_SPACE = np.frombuffer(b" \t\r\n", dtype=np.uint8)
HISTORY_STATUS = {"LOADED": "Loaded", "PARTIALLY_LOADED": "Partially loaded", "LOAD_FAILED": "Load failed"}


@dataclass(frozen=True)
class Target:
    """The table that is loaded: the columns that COPY fills, their DuckDB types, and which may not be NULL."""

    table: tuple[str, str, str]
    columns: tuple[str, ...]
    types: tuple[str, ...]
    required: tuple[bool, ...]

    @property
    def quoted(self) -> str:
        return ".".join(f'"{part}"' for part in self.table)


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
    expressions: tuple[str, ...]  # DuckDB, over the columns of the lines table and "fields"
    fields: dict[str, str]  # top-level keys read from each line, with their type
    sources: tuple[str | None, ...]  # for each expression the JSON key that it casts, for messages


@dataclass
class FileLoad:
    """What became of one file."""

    key: str
    name: str
    size: int = 0
    etag: str = ""
    received_at: datetime | None = None
    status: str = "LOADED"
    parsed: int = 0
    loaded: int = 0
    error_limit: int = 1
    errors: int = 0
    message: str | None = None
    line: int | None = None
    character: int | None = None
    column: str | None = None


@dataclass
class _Problems:
    """Lines that can't be loaded: for each file its index, how many, and its first with what is wrong."""

    count: dict[int, int] = field(default_factory=dict)
    first: dict[int, tuple[int, int]] = field(default_factory=dict)  # file -> (line, column index or -1 for JSON)
    lines: set[tuple[int, int]] = field(default_factory=set)


def run(session: Session, expression: exp.Copy) -> Result:
    """COPY INTO as a statement, in the session's transaction."""
    plan = plan_copy(session, expression)
    with session.atomic():
        loads = load(session, plan, _select_files(session, plan))
    if not loads:
        return Result.of(["status"], [["Copy executed with 0 files processed."]], COPY)
    rows = [
        (
            f"s3://{plan.location.bucket}/{each.key}",
            each.status,
            each.parsed,
            each.loaded,
            each.error_limit,
            each.errors,
            each.message,
            each.line,
            each.character,
            each.column,
        )
        for each in loads
    ]
    return Result.of(_RESULT_COLUMNS, rows, COPY)


def plan_copy(session: Session, expression: exp.Copy) -> CopyPlan:
    """Check and translate a COPY INTO.

    Raises:
        SnowflakeError: it is malformed, names what does not exist, or asks for what can't be honoured.
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
    location = stages.locate(session, stage.this.name)
    file_format = stages.file_format(session, given.get("FILE_FORMAT", location.file_format))
    target = _target(session, expression.this)
    if len(select.expressions) != len(target.columns):
        raise errors.compilation_error(
            "Insert value list does not match column list "
            f"expecting {len(target.columns)} but got {len(select.expressions)}",
            2020,
            "21S01",
        )
    fields: dict[str, str] = {}
    sources = tuple(_field_name(each) for each in select.expressions)
    rewritten = [_over_lines(each, fields) for each in select.expressions]
    translated = session.translator.translate(exp.select(*rewritten))
    expressions = tuple(
        f"CAST({each.unalias().sql('duckdb')} AS {kind})"
        for each, kind in zip(translated.expressions, target.types, strict=True)
    )
    on_error = str(given.get("ON_ERROR", "ABORT_STATEMENT")).upper()
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
        expressions=expressions,
        fields=fields,
        sources=sources,
    )


def load(
    session: Session, plan: CopyPlan, files: Sequence[FileLoad], pipe: tuple[str, str, str, str] | None = None
) -> list[FileLoad]:
    """Load ``files`` and write their load history, in the session's open transaction.

    Args:
        pipe: database, schema, name and uid of the pipe that loads, None for a statement.

    Raises:
        SnowflakeError: ON_ERROR is ABORT_STATEMENT and something can't be loaded, or a service fails.
    """
    if not files:
        return []
    scan_time = datetime.now(UTC)
    stored = storage.read_objects(plan.location.bucket, [each.key for each in files], plan.compression)
    parts = []
    for index, (each, found) in enumerate(zip(files, stored, strict=True)):
        each.size, each.etag = found.size, found.etag
        error, line = found.error, None
        if error is None:
            try:
                found.content.decode()
            except UnicodeDecodeError as bad:
                error = f"Invalid UTF8 detected in file '{each.key}'"
                line = found.content.count(b"\n", 0, bad.start) + 1
        if error is not None:
            _fail(each, error, line)
            _abort_if_asked(plan, each)
        else:
            parts.append(_lines(index, found, scan_time))
    lines = pa.concat_tables(parts) if parts else None
    with session.instance.cursor() as side:
        # A connection of its own: a failed attempt must not end the transaction.
        side.execute(f"SET TimeZone = '{session.time_zone}'")
        side.execute(f"SET schema = '\"{plan.target.table[0]}\".main'")
        rows = _compute(side, plan, files, lines) if lines is not None and lines.num_rows else None
    if rows is not None and rows.num_rows:
        columns = ", ".join(f'"{column}"' for column in plan.target.columns)
        session.duck.register("_copy_rows", rows)
        try:
            session.duck.execute(f"INSERT INTO {plan.target.quoted} ({columns}) SELECT * FROM _copy_rows")
        finally:
            session.duck.unregister("_copy_rows")
    _record(session, plan, files, pipe, scan_time)
    return list(files)


def _compute(
    duck: duckdb.DuckDBPyConnection, plan: CopyPlan, files: Sequence[FileLoad], lines: pa.Table
) -> pa.Table | None:
    """The rows to insert, with the outcome of each file written into ``files``."""
    for index, count in _count_by_file(lines).items():
        files[index].parsed = files[index].loaded = count
    rows = _try(duck, plan, lines)
    if rows is not None:
        return rows
    problems = _examine(duck, plan, lines)
    dropped: set[int] = set()
    for index in sorted(problems.count):
        each, count = files[index], problems.count[index]
        line, column = problems.first[index]
        each.errors, each.line = count, line
        each.message, each.character = _explain(duck, plan, lines, index, line, column)
        if column >= 0:
            each.column = f'"{plan.target.table[2]}"["{plan.target.columns[column]}":{column + 1}]'
        _abort_if_asked(plan, each)
        each.error_limit = _error_limit(plan.on_error, each.parsed)
        if count >= each.error_limit or count == each.parsed:
            each.status, each.loaded = "LOAD_FAILED", 0
            dropped.add(index)
        else:
            each.status, each.loaded = "PARTIALLY_LOADED", each.parsed - count
    keep = [
        index not in dropped and (index, line) not in problems.lines
        for index, line in zip(lines["file"].to_pylist(), lines["row_number"].to_pylist(), strict=True)
    ]
    good = lines.filter(pa.array(keep))
    return _try(duck, plan, good) if good.num_rows else None


def _try(duck: duckdb.DuckDBPyConnection, plan: CopyPlan, lines: pa.Table) -> pa.Table | None:
    """The rows of ``lines``, or None where any of them is in error."""
    columns = ", ".join(f'{each} AS "{index}"' for index, each in enumerate(plan.expressions))
    try:
        rows = _query(duck, f"SELECT {columns} FROM {_source(plan)}", lines).to_arrow_table()
    except (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.OutOfRangeException):
        return None
    if any(required and rows.column(i).null_count for i, required in enumerate(plan.target.required)):
        return None
    return rows


def _examine(duck: duckdb.DuckDBPyConnection, plan: CopyPlan, lines: pa.Table) -> _Problems:
    """Find every line in error; TRY turns an error into NULL, and a struct around the value tells it from a NULL."""
    checks = []
    for index, (each, required) in enumerate(zip(plan.expressions, plan.target.required, strict=True)):
        checks.append(f"WHEN TRY(struct_pack(v := {each})) IS NULL THEN {index}")
        if required:
            checks.append(f"WHEN TRY({each}) IS NULL THEN {index}")
    sql = (
        f"SELECT file, row_number, CASE WHEN NOT json_valid(line) THEN -1 {' '.join(checks)} END AS problem"
        f" FROM {_source(plan, guarded=True)}"
    )
    problems = _Problems()
    for file, line, problem in _query(duck, f"SELECT * FROM ({sql}) WHERE problem IS NOT NULL", lines).fetchall():
        problems.count[file] = problems.count.get(file, 0) + 1
        problems.first[file] = min(problems.first.get(file, (line, problem)), (line, problem))
        problems.lines.add((file, line))
    return problems


def _explain(
    duck: duckdb.DuckDBPyConnection, plan: CopyPlan, lines: pa.Table, file: int, line: int, column: int
) -> tuple[str, int]:
    """Why ``line`` can't be loaded: the message, and the character at which it was noticed (1 where unknown)."""
    mask = pc.and_(pc.equal(lines["file"], file), pc.equal(lines["row_number"], line))
    one = lines.filter(mask)
    text = one["line"][0].as_py()
    if column < 0:
        try:
            json.loads(text)
        except json.JSONDecodeError as error:
            return f"Error parsing JSON: {error.msg}", error.pos + 1
        return "Error parsing JSON: document is not valid", 1
    source, kind = plan.sources[column], plan.target.types[column]
    document = json.loads(text)
    value = document.get(source) if source and isinstance(document, dict) else None
    if value is None:
        if plan.target.required[column]:
            return f"NULL result in a non-nullable column '{plan.target.columns[column]}'", 1
        return f"Can't compute column '{plan.target.columns[column]}' as {kind}", 1
    return f"Failed to cast variant value {json.dumps(value)[:200]} to {kind}", 1


def _source(plan: CopyPlan, *, guarded: bool = False) -> str:
    if not plan.fields:
        return "_copy_lines"
    shape = json.dumps(plan.fields).replace("'", "''")
    parsed = f"json_transform(line, '{shape}')"
    if guarded:
        parsed = f"CASE WHEN json_valid(line) THEN {parsed} END"
    return f'(SELECT *, {parsed} AS "fields" FROM _copy_lines)'


def _query(duck: duckdb.DuckDBPyConnection, sql: str, lines: pa.Table) -> duckdb.DuckDBPyRelation:
    duck.register("_copy_lines", lines)
    return duck.sql(sql)


def _lines(index: int, found: storage.StoredFile, scan_time: datetime) -> pa.Table:
    """The lines of a file with their numbers, from 1; blank ones are left out but counted."""
    content = found.content if found.content.endswith(b"\n") or not found.content else found.content + b"\n"
    data = np.frombuffer(content, dtype=np.uint8)
    ends = np.flatnonzero(data == ord("\n")) + 1
    offsets = np.concatenate(([0], ends)).astype(np.int64)
    text = pa.LargeStringArray.from_buffers(len(ends), pa.py_buffer(offsets), pa.py_buffer(content))
    numbers = np.arange(1, len(ends) + 1, dtype=np.int64)
    count = len(ends)
    table = pa.table(
        {
            "file": pa.array(np.full(count, index, dtype=np.int32)),
            "row_number": pa.array(numbers),
            "line": text,
            "file_name": _repeated(found.key, pa.string(), count),
            "scan_time": _repeated(scan_time, pa.timestamp("us", "UTC"), count),
            "last_modified": _repeated(
                found.last_modified and found.last_modified.astimezone(UTC).replace(tzinfo=None),
                pa.timestamp("us"),
                count,
            ),
            "content_key": _repeated(found.etag, pa.string(), count),
        }
    )
    # A line that begins with white space may be blank; no other is looked at.
    suspects = np.flatnonzero(np.isin(data[offsets[:-1]], _WHITE_SPACE))
    blank = [index for index in suspects if not text[int(index)].as_py().strip()]
    if blank:
        keep = np.ones(count, dtype=bool)
        keep[blank] = False
        table = table.filter(pa.array(keep))
    return table


def _repeated(value: Any, kind: pa.DataType, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(value, kind), count)


def _count_by_file(lines: pa.Table) -> dict[int, int]:
    return {item["values"]: item["counts"] for item in lines["file"].value_counts().to_pylist()}


def _error_limit(on_error: str, parsed: int) -> int:
    """The number of errors from which on a file is skipped whole."""
    if on_error == "CONTINUE":
        return parsed + 1
    number = on_error.removeprefix("SKIP_FILE").strip("_")
    if not number:
        return 1
    if number.endswith("%"):
        return max(1, int(parsed * int(number[:-1]) / 100))
    return int(number)


def _fail(each: FileLoad, message: str, line: int | None) -> None:
    each.status, each.errors, each.message, each.line = "LOAD_FAILED", 1, message, line
    each.parsed = each.loaded = 0


def _abort_if_asked(plan: CopyPlan, each: FileLoad) -> None:
    if plan.on_error == "ABORT_STATEMENT":
        where = f"\n  File '{each.key}', line {each.line or 1}, character {each.character or 1}"
        column = f"\n  Row {each.line}, column {each.column}" if each.column else ""
        raise errors.SnowflakeError(
            f"{each.message}{where}{column}\n  If you would like to continue loading when an error is encountered, "
            "use other values such as 'SKIP_FILE' or 'CONTINUE' for the ON_ERROR option.",
            100069,
            "22P02",
        )


def _select_files(session: Session, plan: CopyPlan) -> list[FileLoad]:
    """The files that a COPY statement is to load: not those that it loaded before, unless FORCE."""
    location = plan.location
    if plan.files is not None:
        prefix = location.prefix if location.prefix.endswith("/") or not location.prefix else location.prefix + "/"
        keys = [prefix + file for file in plan.files]
    else:
        keys = [key for key, _ in storage.list_objects(location.bucket, location.prefix)]
    if plan.pattern is not None:
        keys = [key for key in keys if re.fullmatch(plan.pattern, key)]
    loaded = set() if plan.force else _loaded_before(session, plan)
    names = [(key, relative_name(location, key)) for key in keys]
    return [FileLoad(key, name) for key, name in names if f"s3://{location.bucket}/{key}" not in loaded]


def relative_name(location: stages.Location, key: str) -> str:
    """A file's name as load history gives it: relative to its stage."""
    return key.removeprefix(location.prefix)


def _loaded_before(session: Session, plan: CopyPlan) -> set[str]:
    database, schema, name = plan.target.table
    rows = session.duck.execute(
        f'SELECT stage_location || file_name FROM "{database}".{HIDDEN_SCHEMA}.load_history WHERE pipe_uid IS NULL'
        " AND table_schema_name = ? AND table_name = ? AND status <> 'Load failed'",
        [schema, name],
    ).fetchall()
    return {url for (url,) in rows}


def _record(
    session: Session,
    plan: CopyPlan,
    files: Sequence[FileLoad],
    pipe: tuple[str, str, str, str] | None,
    scan_time: datetime,
) -> None:
    now = datetime.now(UTC)
    instant = pa.timestamp("us", "UTC")
    pipe_database, pipe_schema, pipe_name, pipe_uid = pipe or (None, None, None, None)
    types = [
        pa.string(),
        pa.string(),
        instant,
        pa.int64(),
        pa.int64(),
        pa.int64(),
        pa.string(),
        pa.string(),
        pa.int64(),
        pa.int64(),
        pa.string(),
        pa.int64(),
        pa.int64(),
        pa.string(),
        pa.string(),
        pa.string(),
        pa.string(),
        pa.string(),
        pa.string(),
        pa.string(),
        pa.string(),
        instant,
        instant,
    ]
    rows = [
        (
            each.name,
            plan.location.url,
            now,
            each.loaded,
            each.parsed,
            each.size,
            each.etag,
            each.message,
            each.line,
            each.character,
            each.column,
            each.errors,
            each.error_limit,
            HISTORY_STATUS[each.status],
            *plan.target.table,
            pipe_database,
            pipe_schema,
            pipe_name,
            pipe_uid,
            each.received_at or scan_time,
            now if each.loaded else None,
        )
        for each in files
    ]
    columns = [pa.array(values, kind) for values, kind in zip(zip(*rows, strict=True), types, strict=True)]
    session.duck.register("_copy_history", pa.table(columns, names=[str(index) for index in range(len(columns))]))
    try:
        session.duck.execute(
            f'INSERT INTO "{plan.target.table[0]}".{HIDDEN_SCHEMA}.load_history SELECT * FROM _copy_history'
        )
    finally:
        session.duck.unregister("_copy_history")


def _target(session: Session, into: exp.Expr) -> Target:
    table, asked = (into.this, [each.name for each in into.expressions]) if isinstance(into, exp.Schema) else (into, [])
    key = session.table_key(table)
    found = {
        name: (kind, not nullable)
        for name, kind, nullable in session.duck.execute(
            "SELECT column_name, data_type, is_nullable FROM duckdb_columns()"
            " WHERE database_name = ? AND schema_name = ? AND table_name = ? ORDER BY column_index",
            list(key),
        ).fetchall()
    }
    if not found:
        raise errors.does_not_exist("Table", ".".join(key))
    columns = [each.name if each.quoted else each.name.upper() for each in into.expressions] if asked else list(found)
    for column in columns:
        if column not in found:
            raise errors.compilation_error(f"invalid identifier '{column}'", 904)
    return Target(
        key, tuple(columns), tuple(found[each][0] for each in columns), tuple(found[each][1] for each in columns)
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
    """``expression`` over a staged file's columns as one over the lines table; adds to ``fields`` what it needs."""
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


def forget_table(session: Session, table: tuple[str, str, str]) -> None:
    """A table that was dropped or replaced has loaded nothing yet; what pipes loaded is theirs."""
    session.duck.execute(
        f'DELETE FROM "{table[0]}".{HIDDEN_SCHEMA}.load_history'
        " WHERE pipe_uid IS NULL AND table_schema_name = ? AND table_name = ?",
        [table[1], table[2]],
    )


def with_on_error(plan: CopyPlan, on_error: str) -> CopyPlan:
    """``plan`` with another way to treat errors: a pipe's default is not a statement's."""
    return replace(plan, on_error=on_error)
