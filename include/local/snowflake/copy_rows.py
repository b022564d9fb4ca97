"""The rows of COPY, computed by DuckDB from lines of JSON, and the lines that are in error.

First the whole batch is computed optimistically.  Only if a line can't be parsed or a value can't be cast are the lines
examined one by one.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from .copy_lines import abort_if_asked
from .copy_plan import CopyPlan
from .file_loads import FileLoad, Rejection
from .load_history import REJECTED_PER_FILE
from .results import snowflake_type

# Three ways to read "fields" from a line; {} is replaced by the line and the shape.
_LENIENTLY = "json_transform({})"
_GUARDED = f"CASE WHEN json_valid(line) THEN {_LENIENTLY} END"
# Refuses lines that lack a key and unusual spellings of numbers, but never accepts a line in error.  It would only take
# true and false for 1 and 0: they are refused first.
_STRICTLY = (
    "CASE WHEN contains(line, 'true') OR contains(line, 'false') THEN error('a boolean')"
    " ELSE json_transform_strict({}) END"
)


@dataclass(frozen=True, order=True)
class _Problem:
    """A line that can't be loaded; ``column`` is the index of its first wrong column, -1 where the line is no JSON."""

    line: int
    column: int
    text: str
    start: int  # its offset in the file, in bytes


def compute(
    duck: duckdb.DuckDBPyConnection, plan: CopyPlan, files: Sequence[FileLoad], lines: pa.Table
) -> pa.Table | None:
    """The rows to insert; the outcome of each file is written into ``files``.

    Raises:
        CopyAbortedError: ON_ERROR is ABORT_STATEMENT and a line is in error.
    """
    for index, count in _count_by_file(lines).items():
        files[index].count(count)
    rows = _try(duck, plan, lines)
    if rows is not None:
        return rows
    dropped: set[int] = set()
    rejected: set[tuple[int, int]] = set()
    for index, problems in sorted(_examine(duck, plan, lines).items()):
        each = files[index]
        each.reject([_explain(plan, problem) for problem in problems[:REJECTED_PER_FILE]], len(problems))
        abort_if_asked(plan, each)
        each.limit_errors(_error_limit(plan.on_error, each.parsed))
        if each.errors >= each.error_limit or each.errors == each.parsed:
            each.skip()
            dropped.add(index)
        else:
            each.skip_rejected()
            rejected.update((index, problem.line) for problem in problems)
    keep = [
        index not in dropped and (index, line) not in rejected
        for index, line in zip(lines["file"].to_pylist(), lines["row_number"].to_pylist(), strict=True)
    ]
    good = lines.filter(pa.array(keep))
    return _try(duck, plan, good) if good.num_rows else None


def _try(duck: duckdb.DuckDBPyConnection, plan: CopyPlan, lines: pa.Table) -> pa.Table | None:
    """The rows of ``lines``, or None where any line is in error.

    The strict reading takes half the time of the lenient one, which is tried next.
    """
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

    TRY turns an error into NULL; a struct around the value distinguishes the error from a NULL value.
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
    """Why a line can't be loaded, and the character at which the error was noticed (1 where unknown)."""
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
    """The lines with their ``fields``, as ``parse`` reads them."""
    if not fields:
        return "_copy_lines"
    shape = json.dumps(fields).replace("'", "''")
    parsed = parse.format(f"line, '{shape}'")
    return f'(SELECT *, {parsed} AS "fields" FROM _copy_lines)'


def _query(duck: duckdb.DuckDBPyConnection, sql: str, lines: pa.Table) -> duckdb.DuckDBPyRelation:
    duck.register("_copy_lines", lines)
    return duck.sql(sql)


def _count_by_file(lines: pa.Table) -> dict[int, int]:
    return {item["values"]: item["counts"] for item in lines["file"].value_counts().to_pylist()}


def _error_limit(on_error: str, parsed: int) -> int:
    """The number of errors at which the whole file is skipped."""
    if on_error == "CONTINUE":
        return parsed + 1
    number = on_error.removeprefix("SKIP_FILE").strip("_")
    if not number:
        return 1
    if number.endswith("%"):
        # More than this share.
        return parsed * int(number[:-1]) // 100 + 1
    return int(number)
