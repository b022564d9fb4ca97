"""The lines of COPY's files, read from S3; ``copy_rows`` computes rows from them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from . import errors, storage
from .copy_plan import CopyPlan
from .file_loads import FileLoad, Rejection

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


def read(plan: CopyPlan, files: Sequence[FileLoad], scan_time: datetime) -> pa.Table | None:
    """The lines of all files that can be read; the others are marked as failed in ``files``.

    Raises:
        CopyAbortedError: ON_ERROR is ABORT_STATEMENT and a file can't be read.
    """
    stored = storage.read_objects(plan.location.bucket, [each.key for each in files], plan.compression)
    parts = []
    for index, (each, found) in enumerate(zip(files, stored, strict=True)):
        each.read(found.size, found.etag, len(found.content))
        unreadable = _unreadable(found)
        if unreadable is None:
            parts.append(_lines(index, found, scan_time))
            continue
        each.reject([unreadable], errors=1)
        each.skip()
        abort_if_asked(plan, each)
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
    """The lines of a file, numbered from 1; blank lines are counted but left out."""
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
    # Only a line that begins with white space can be blank.
    suspects = np.flatnonzero(np.isin(data[offsets[:-1]], _WHITE_SPACE))
    blank = [index for index in suspects if not text[int(index)].as_py().strip()]
    if blank:
        keep = np.ones(count, dtype=bool)
        keep[blank] = False
        table = table.filter(pa.array(keep))
    return table


def _repeated(value: Any, kind: pa.DataType, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(value, kind), count)


def abort_if_asked(plan: CopyPlan, each: FileLoad) -> None:
    """Fail the statement for a rejected file, if ON_ERROR says so.

    Raises:
        CopyAbortedError: ON_ERROR is ABORT_STATEMENT.
    """
    if plan.on_error == "ABORT_STATEMENT" and each.first:
        each.skip()
        raise CopyAbortedError(each, each.first)
