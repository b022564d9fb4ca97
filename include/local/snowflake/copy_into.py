"""COPY INTO a table from newline-delimited JSON in S3: many files per statement, with their load history in one commit.

The files are read here (``copy_lines``), not by DuckDB: each once, in parallel, so that a damaged one is that file's
error.  Their lines go to DuckDB as one Arrow table, which computes the rows (``copy_rows``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlglot import exp

from . import copy_lines, copy_plan, copy_rows, load_history, storage
from .context import Context
from .copy_lines import CopyAbortedError
from .copy_plan import CopyPlan
from .fakesnow_adapter import COPY
from .file_loads import FileLoad
from .load_history import LoadingPipe
from .names import quote
from .results import Result

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


def run(context: Context, expression: exp.Copy) -> Result:
    """Run a COPY INTO statement in the session's transaction."""
    plan = copy_plan.plan_copy(context, expression)
    context.begin_copy()
    try:
        with context.atomic():
            loads = load(context, plan, _select_files(context, plan), job=context.query_id)
    except CopyAbortedError as error:
        # Its rows are rolled back, or will be; COPY_HISTORY has the failure nevertheless.
        with context.instance.cursor() as side:
            now = datetime.now(UTC)
            load_history.record(side, plan, [error.file], job=context.query_id, pipe=None, scan_time=now)
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
    context: Context,
    plan: CopyPlan,
    files: Sequence[FileLoad],
    *,
    job: str,
    pipe: LoadingPipe | None = None,
) -> list[FileLoad]:
    """Load ``files`` and write their load history, in the session's open transaction.

    Args:
        job: query id of the COPY.
        pipe: the pipe that loads; None for a statement.

    Raises:
        SnowflakeError: ON_ERROR is ABORT_STATEMENT and a line or file can't be loaded, or S3 fails.
    """
    if not files:
        return []
    scan_time = datetime.now(UTC)
    lines = copy_lines.read(plan, files, scan_time)
    with context.instance.cursor() as side:
        # A separate connection: a failed attempt must not end the transaction.
        side.execute(f"SET TimeZone = '{context.time_zone}'")
        side.execute(f"USE {quote(plan.target.table[0])}.main")
        rows = copy_rows.compute(side, plan, files, lines) if lines is not None and lines.num_rows else None
    if rows is not None and rows.num_rows:
        columns = ", ".join(quote(column) for column in plan.target.columns)
        context.duck.register("_copy_rows", rows)
        try:
            context.duck.execute(f"INSERT INTO {plan.target.quoted} ({columns}) SELECT * FROM _copy_rows")
        finally:
            context.duck.unregister("_copy_rows")
    load_history.record(context.duck, plan, files, job=job, pipe=pipe, scan_time=scan_time)
    return list(files)


def _select_files(context: Context, plan: CopyPlan) -> list[FileLoad]:
    """The files that a COPY statement loads: new and changed ones, or all with FORCE."""
    location = plan.location
    if plan.files is not None:
        prefix = location.prefix if location.prefix.endswith("/") or not location.prefix else location.prefix + "/"
        etags: dict[str, str | None] = {prefix + file: None for file in plan.files}
    else:
        etags = {found.key: found.etag for found in storage.list_objects(location.bucket, location.prefix)}
    loaded = {} if plan.force else load_history.loaded_before(context.duck, plan.target.table)
    files = []
    for key, etag in etags.items():
        if plan.pattern is not None and not re.fullmatch(plan.pattern, key):
            continue
        before = loaded.get(f"s3://{location.bucket}/{key}")
        if before is None or before != (etag or storage.etag(location.bucket, key)):
            files.append(FileLoad(key, key.removeprefix(location.prefix)))
    return files
