"""COPY INTO a table from newline-delimited JSON in S3: many files a statement, rows and load history in one commit.

The files are read here, not by DuckDB: each once, side by side, so that a damaged one is that file's error.  Their
lines go to DuckDB as one Arrow table.  First the whole batch is computed optimistically; only if a line can't be parsed
or a value can't be cast are the lines examined one by one.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa
from fakesnow.statement_type import COPY
from sqlglot import exp

from . import copy_plan, errors, load_history, storage
from .copy_plan import CopyPlan
from .load_history import FileLoad, Rejection
from .results import Result, snowflake_type

if TYPE_CHECKING:
    from .session import Session

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
# How "fields" are read from a line; {} stands for the line and the shape.
_LENIENTLY = "json_transform({})"
_GUARDED = f"CASE WHEN json_valid(line) THEN {_LENIENTLY} END"
# Refuses lines without all the keys and numbers oddly spelled, and takes none that is in error: of these only true and
# false, as 1 and 0, which is why they are not let through.
_STRICTLY = (
    "CASE WHEN contains(line, 'true') OR contains(line, 'false') THEN error('a boolean')"
    " ELSE json_transform_strict({}) END"
)
_WHITE_SPACE = np.frombuffer(b" \t\r\n", dtype=np.uint8)


class CopyAbortedError(errors.SnowflakeError):
    """ON_ERROR is ABORT_STATEMENT and ``file`` can't be loaded."""

    def __init__(self, file: FileLoad, first: Rejection) -> None:
        where = f"\n  File '{file.key}', line {first.line or 1}, character {first.character or 1}"
        column = f"\n  Row {first.line}, column {first.column}" if first.column else ""
        super().__init__(
            f"{first.error}{where}{column}\n  If you would like to continue loading when an error is encountered, "
            "use other values such as 'SKIP_FILE' or 'CONTINUE' for the ON_ERROR option.",
            first.code,
            first.sqlstate,
        )
        self.file = file


@dataclass(frozen=True, order=True)
class _Problem:
    """A line that can't be loaded; ``column`` is the index of the first that is wrong, -1 where it is no JSON."""

    line: int
    column: int
    text: str
    start: int  # its offset in the file, in bytes


def run(session: Session, expression: exp.Copy) -> Result:
    """COPY INTO as a statement, in the session's transaction."""
    plan = copy_plan.plan_copy(session, expression)
    session.last_copy = session.query_id
    try:
        with session.atomic():
            loads = load(session, plan, _select_files(session, plan), job=session.query_id)
    except CopyAbortedError as error:
        # Its rows are rolled back, or will be; that it failed is told by COPY_HISTORY all the same.
        with session.instance.cursor() as side:
            now = datetime.now(UTC)
            load_history.record(side, plan, [error.file], job=session.query_id, pipe=None, scan_time=now)
        raise
    if not loads:
        return Result.of(["status"], [["Copy executed with 0 files processed."]], COPY)
    rows = []
    for each in loads:
        url, first = f"s3://{plan.location.bucket}/{each.key}", each.first
        counts = (each.status, each.parsed, each.loaded, each.error_limit, each.errors)
        rows.append(
            (url, *counts, *((first.error, first.line, first.character, first.column) if first else [None] * 4))
        )
    return Result.of(_RESULT_COLUMNS, rows, COPY)


def load(
    session: Session,
    plan: CopyPlan,
    files: Sequence[FileLoad],
    *,
    job: str,
    pipe: tuple[str, str, str, str] | None = None,
) -> list[FileLoad]:
    """Load ``files`` and write their load history, in the session's open transaction.

    Args:
        job: query id of the COPY.
        pipe: database, schema, name and uid of the pipe that loads, None for a statement.

    Raises:
        SnowflakeError: ON_ERROR is ABORT_STATEMENT and something can't be loaded, or a service fails.
    """
    if not files:
        return []
    scan_time = datetime.now(UTC)
    lines = _read(plan, files, scan_time)
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
    load_history.record(session.duck, plan, files, job=job, pipe=pipe, scan_time=scan_time)
    return list(files)


def _select_files(session: Session, plan: CopyPlan) -> list[FileLoad]:
    """The files that a COPY statement is to load: those that it did not load before as they are now, or with FORCE."""
    location = plan.location
    if plan.files is not None:
        prefix = location.prefix if location.prefix.endswith("/") or not location.prefix else location.prefix + "/"
        etags: dict[str, str | None] = {prefix + file: None for file in plan.files}
    else:
        etags = {found.key: found.etag for found in storage.list_objects(location.bucket, location.prefix)}
    loaded = {} if plan.force else load_history.loaded_before(session.duck, plan.target.table)
    files = []
    for key, etag in etags.items():
        if plan.pattern is not None and not re.fullmatch(plan.pattern, key):
            continue
        before = loaded.get(f"s3://{location.bucket}/{key}")
        if before is None or before != (etag or storage.etag(location.bucket, key)):
            files.append(FileLoad(key, key.removeprefix(location.prefix)))
    return files


# --- lines ------------------------------------------------------------------------------------------------------------


def _read(plan: CopyPlan, files: Sequence[FileLoad], scan_time: datetime) -> pa.Table | None:
    """The lines of all files that can be read; the others have failed, which is written into ``files``."""
    stored = storage.read_objects(plan.location.bucket, [each.key for each in files], plan.compression)
    parts = []
    for index, (each, found) in enumerate(zip(files, stored, strict=True)):
        each.size, each.etag = found.size, found.etag
        unreadable = _unreadable(found)
        if unreadable is None:
            parts.append(_lines(index, found, scan_time))
            continue
        each.status, each.errors, each.rejected = "LOAD_FAILED", 1, [unreadable]
        _abort_if_asked(plan, each)
    return pa.concat_tables(parts) if parts else None


def _unreadable(found: storage.StoredFile) -> Rejection | None:
    if found.error is not None:
        return Rejection(found.error, "parsing", 100183, "P0000")
    if found.content.isascii():
        return None
    try:
        found.content.decode()
    except UnicodeDecodeError as bad:
        line = found.content.count(b"\n", 0, bad.start) + 1
        message = f"Invalid UTF8 detected in file '{found.key}'"
        return Rejection(message, "parsing", 100144, "22000", line=line, byte_offset=bad.start)
    return None


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
            "start": pa.array(offsets[:-1]),
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


# --- rows -------------------------------------------------------------------------------------------------------------


def _compute(
    duck: duckdb.DuckDBPyConnection, plan: CopyPlan, files: Sequence[FileLoad], lines: pa.Table
) -> pa.Table | None:
    """The rows to insert, with the outcome of each file written into ``files``."""
    for index, count in _count_by_file(lines).items():
        files[index].parsed = files[index].loaded = count
    rows = _try(duck, plan, lines)
    if rows is not None:
        return rows
    dropped: set[int] = set()
    rejected: set[tuple[int, int]] = set()
    for index, problems in sorted(_examine(duck, plan, lines).items()):
        each = files[index]
        each.errors = len(problems)
        each.rejected = [_explain(plan, problem) for problem in problems[: load_history.REJECTED_A_FILE]]
        _abort_if_asked(plan, each)
        each.error_limit = _error_limit(plan.on_error, each.parsed)
        if each.errors >= each.error_limit or each.errors == each.parsed:
            each.status, each.loaded = "LOAD_FAILED", 0
            dropped.add(index)
        else:
            each.status, each.loaded = "PARTIALLY_LOADED", each.parsed - each.errors
            rejected.update((index, problem.line) for problem in problems)
    keep = [
        index not in dropped and (index, line) not in rejected
        for index, line in zip(lines["file"].to_pylist(), lines["row_number"].to_pylist(), strict=True)
    ]
    good = lines.filter(pa.array(keep))
    return _try(duck, plan, good) if good.num_rows else None


def _try(duck: duckdb.DuckDBPyConnection, plan: CopyPlan, lines: pa.Table) -> pa.Table | None:
    """The rows of ``lines``, or None where any of them is in error: strictly in half the time, or else leniently."""
    rows = None
    if plan.transformation.strict_fields != plan.transformation.fields:
        rows = _rows(duck, plan, _source(plan.transformation.strict_fields, _STRICTLY), lines)
    return rows if rows is not None else _rows(duck, plan, _source(plan.transformation.fields), lines)


def _rows(duck: duckdb.DuckDBPyConnection, plan: CopyPlan, source: str, lines: pa.Table) -> pa.Table | None:
    columns = ", ".join(f'{each} AS "{index}"' for index, each in enumerate(plan.transformation.expressions))
    try:
        rows = _query(duck, f"SELECT {columns} FROM {source}", lines).to_arrow_table()
    except (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.OutOfRangeException):
        return None
    if any(required and rows.column(i).null_count for i, required in enumerate(plan.target.required)):
        return None
    return rows


def _examine(duck: duckdb.DuckDBPyConnection, plan: CopyPlan, lines: pa.Table) -> dict[int, list[_Problem]]:
    """Every line in error, by the index of its file and in its order.

    TRY turns an error into NULL, and a struct around the value tells it from a NULL.
    """
    checks = []
    for index, (each, required) in enumerate(zip(plan.transformation.expressions, plan.target.required, strict=True)):
        checks.append(f"WHEN TRY(struct_pack(v := {each})) IS NULL THEN {index}")
        if required:
            checks.append(f"WHEN TRY({each}) IS NULL THEN {index}")
    sql = (
        f"SELECT file, row_number, CASE WHEN NOT json_valid(line) THEN -1 {' '.join(checks)} END AS problem, line,"
        f' "start" FROM {_source(plan.transformation.fields, _GUARDED)}'
    )
    found: dict[int, list[_Problem]] = defaultdict(list)
    wrong = _query(duck, f"SELECT * FROM ({sql}) WHERE problem IS NOT NULL ORDER BY file, row_number", lines)
    for file, line, column, text, start in wrong.fetchall():
        found[file].append(_Problem(line, column, text, start))
    return found


def _explain(plan: CopyPlan, problem: _Problem) -> Rejection:
    """Why a line can't be loaded, and the character at which that was noticed (1 where unknown)."""
    character, column = 1, None
    if problem.column < 0:
        message, category, code, sqlstate = "Error parsing JSON: document is not valid", "parsing", 100069, "22P02"
        try:
            json.loads(problem.text)
        except json.JSONDecodeError as error:
            message, character = f"Error parsing JSON: {error.msg}", error.pos + 1
    else:
        name, kind = plan.target.columns[problem.column], snowflake_type(plan.target.types[problem.column]).upper()
        column = f'"{plan.target.table[2]}"["{name}":{problem.column + 1}]'
        category, code, sqlstate = "conversion", 100071, "22000"
        value = _value_of(problem.text, plan.transformation.sources[problem.column])
        if value is not None:
            message = f"Failed to cast variant value {json.dumps(value)[:200]} to {kind}"
        elif plan.target.required[problem.column]:
            message, code = f"NULL result in a non-nullable column '{name}'", 100072
        else:
            message = f"Can't compute column '{name}' as {kind}"
    before = len(problem.text[: character - 1].encode())
    return Rejection(
        message,
        category,
        code,
        sqlstate,
        problem.line,
        character,
        problem.start + before,
        column,
        problem.text.rstrip("\r\n"),
    )


def _value_of(text: str, key: str | None) -> Any:
    document = json.loads(text)
    return document.get(key) if key and isinstance(document, dict) else None


def _source(fields: dict[str, str], parse: str = _LENIENTLY) -> str:
    """The lines with their ``fields``, which ``parse`` reads."""
    if not fields:
        return "_copy_lines"
    shape = json.dumps(fields).replace("'", "''")
    parsed = parse.format(f"line, '{shape}'")
    return f'(SELECT *, {parsed} AS "fields" FROM _copy_lines)'


def _query(duck: duckdb.DuckDBPyConnection, sql: str, lines: pa.Table) -> duckdb.DuckDBPyRelation:
    duck.register("_copy_lines", lines)
    return duck.sql(sql)


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


def _abort_if_asked(plan: CopyPlan, each: FileLoad) -> None:
    if plan.on_error == "ABORT_STATEMENT" and each.first:
        each.status, each.loaded = "LOAD_FAILED", 0
        raise CopyAbortedError(each, each.first)
