"""A statement's result, and its form on the wire."""

from __future__ import annotations

import re
import uuid
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .fakesnow_adapter import DML_TYPE_IDS, SELECT, Column

MICROSECONDS = 1_000_000

# DuckDB's type, without parameters -> the name of Snowflake's on the wire.
_SNOWFLAKE_TYPES = {
    "BLOB": "binary",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "DECIMAL": "fixed",
    "DOUBLE": "real",
    "FLOAT": "real",
    "JSON": "variant",
    "TIME": "time",
    # DuckDB keeps no offset: this is an instant, shown in the session's time zone.
    "TIMESTAMP WITH TIME ZONE": "timestamp_ltz",
    "TIMESTAMP": "timestamp_ntz",
    "TIMESTAMP_NS": "timestamp_ntz",
    "TIMESTAMP_MS": "timestamp_ntz",
    "TIMESTAMP_S": "timestamp_ntz",
    **dict.fromkeys(
        ["TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"], "fixed"
    ),
}


@dataclass(frozen=True)
class Result:
    """The rows of one statement: an Arrow table and the DuckDB type of each column."""

    table: pa.Table
    types: list[Column]
    statement_type: int = SELECT
    query_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @classmethod
    def of(cls, columns: Sequence[str], rows: Sequence[Sequence[Any]], statement_type: int = 0) -> Result:
        """A result of Python values; a column has the type of its values, or text where it has none."""
        by_column = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
        arrays = [pa.array(values) for values in by_column]
        arrays = [array.cast(pa.string()) if pa.types.is_null(array.type) else array for array in arrays]
        types = [(name, _duckdb_type(array.type)) for name, array in zip(columns, arrays, strict=True)]
        return cls(pa.table(arrays, names=[str(index) for index in range(len(columns))]), types, statement_type)

    @classmethod
    def status(cls, message: str, statement_type: int = 0x6000) -> Result:
        return cls.of(["status"], [[message]], statement_type)

    @classmethod
    def counts(cls, statement_type: int, **counts: int) -> Result:
        """A row of ``number of rows inserted`` and the like, in the given order."""
        return cls.of([f"number of rows {name}" for name in counts], [list(counts.values())], statement_type)

    def response(self) -> dict[str, Any]:
        """The part of a query response with the rows and their description."""
        rowtype = [_column(name, duckdb_type) for name, duckdb_type in self.types]
        body: dict[str, Any] = {
            "rowtype": rowtype,
            "total": self.table.num_rows,
            "returned": self.table.num_rows,
            "queryId": self.query_id,
            "statementTypeId": self.statement_type,
        }
        if self.statement_type in DML_TYPE_IDS:
            # Clients read the number of rows that a DML changed from a JSON row set.
            rows = zip(*(column.to_pylist() for column in self.table.columns), strict=True)
            return body | {
                "queryResultFormat": "json",
                "rowset": [[None if value is None else str(value) for value in row] for row in rows],
            }
        arrays = [_wire_array(column) for column in self.table.columns]
        fields = [_wire_field(array, column) for array, column in zip(arrays, rowtype, strict=True)]
        table = pa.Table.from_arrays(arrays, schema=pa.schema(fields))
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return body | {"queryResultFormat": "arrow", "rowsetBase64": b64encode(sink.getvalue()).decode()}


def snowflake_type(duckdb_type: str) -> str:
    """The type's name on the wire: fixed, real, text, timestamp_ntz and so on."""
    return _SNOWFLAKE_TYPES.get(duckdb_type.split("(", 1)[0], "array" if duckdb_type.endswith("[]") else "text")


def _column(name: str, duckdb_type: str) -> dict[str, Any]:
    kind = snowflake_type(duckdb_type)
    column: dict[str, Any] = {
        "name": name,
        "database": "",
        "schema": "",
        "table": "",
        "nullable": True,
        "type": kind,
        "byteLength": None,
        "length": None,
        "scale": None,
        "precision": None,
        "collation": None,
    }
    if kind == "fixed":
        decimal = re.fullmatch(r"DECIMAL\((\d+),\s*(\d+)\)", duckdb_type)
        column["precision"], column["scale"] = (int(decimal[1]), int(decimal[2])) if decimal else (38, 0)
    elif kind in ("text", "binary"):
        column["length"] = column["byteLength"] = 16777216 if kind == "text" else 8388608
    elif kind.startswith("time"):
        column["precision"], column["scale"] = 0, 9
    return column


def _wire_array(column: pa.ChunkedArray) -> pa.Array:
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], type=column.type)
    kind = array.type
    if pa.types.is_timestamp(kind):
        return _timestamp_struct(array)
    if pa.types.is_time(kind):
        return pc.multiply(array.cast(pa.time64("us")).cast(pa.int64()), 1000)
    if pa.types.is_uint64(kind):
        # HASH() is unsigned in DuckDB and does not fit a signed 64-bit integer.
        return array.cast(pa.decimal128(20, 0))
    if pa.types.is_decimal128(kind):
        return _short_numbers(array)
    if pa.types.is_null(kind) or pa.types.is_nested(kind) or pa.types.is_interval(kind):
        return pa.array([None if value is None else str(value) for value in array.to_pylist()], pa.string())
    if pa.types.is_large_string(kind):
        return array.cast(pa.string())
    return array


def _short_numbers(array: pa.Decimal128Array) -> pa.Array:
    """Numbers without their point, as 64-bit integers, where all fit: as Snowflake sends them.

    Clients read such a number as an ``int`` if it has no decimals, and pandas as a float if it has.
    """
    words = np.frombuffer(array.buffers()[1] or b"", dtype=np.int64).reshape(-1, 2)
    low, high = words[array.offset : array.offset + len(array)].T
    null = array.is_null().to_numpy(zero_copy_only=False)
    if np.any((high != low >> 63) & ~null):
        return array
    return pa.array(low, mask=null)


def _timestamp_struct(array: pa.Array) -> pa.StructArray:
    """Seconds and nanoseconds since 1970, as Snowflake sends timestamps; NULL stays NULL."""
    if array.type.unit != "us":
        array = array.cast(pa.timestamp("us", array.type.tz), safe=False)
    microseconds = pc.fill_null(array.cast(pa.int64()), 0)
    # Integer division truncates towards zero; before 1970 the second is the one below.
    quotient = pc.divide(microseconds, MICROSECONDS)
    remainder = pc.subtract(microseconds, pc.multiply(quotient, MICROSECONDS))
    borrow = pc.less(remainder, 0).cast(pa.int64())
    seconds = pc.subtract(quotient, borrow)
    nanoseconds = pc.multiply(pc.add(remainder, pc.multiply(borrow, MICROSECONDS)), 1000).cast(pa.int32())
    fields = [pa.field("epoch", pa.int64(), nullable=False), pa.field("fraction", pa.int32(), nullable=False)]
    return pa.StructArray.from_arrays([seconds, nanoseconds], fields=fields, mask=pc.is_null(array))


def _wire_field(array: pa.Array, column: dict[str, Any]) -> pa.Field:
    metadata = {
        "logicalType": column["type"].upper(),
        "precision": str(column["precision"] or 38),
        "scale": str(column["scale"] or 0),
        "charLength": str(column["length"] or 0),
    }
    return pa.field(column["name"], array.type, nullable=True, metadata=metadata)


def _duckdb_type(kind: pa.DataType) -> str:
    if pa.types.is_timestamp(kind):
        return "TIMESTAMP WITH TIME ZONE" if kind.tz else "TIMESTAMP"
    if pa.types.is_integer(kind):
        return "BIGINT"
    if pa.types.is_floating(kind):
        return "DOUBLE"
    return "BOOLEAN" if pa.types.is_boolean(kind) else "VARCHAR"
