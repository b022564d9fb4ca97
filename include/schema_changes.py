"""Which changes of ``sql/ddl`` a deployment that exists can't get: found before anything is changed.

The files of ``sql/ddl`` create what is missing and add columns; an object that exists stays as it is.  So a version
that declares another type, clustering key or stream than the account has would be deployed without them, in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from include import names, sql
from include.snowflake_rows import rows_by_column

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

# Errors of Snowflake: "does not exist or not authorized", of an object, and of its schema or database.
DOES_NOT_EXIST = (2003, 2043)

_SCHEMA = f"{names.DATABASE}.{names.SCHEMA}"
# The types that sql/ddl uses, as DESC TABLE shows them.
_TYPES = {
    "string": "VARCHAR(16777216)",
    "varchar": "VARCHAR(16777216)",
    "integer": "NUMBER(38,0)",
    "number": "NUMBER(38,0)",
    "float": "FLOAT",
    "boolean": "BOOLEAN",
    "timestamp_ntz": "TIMESTAMP_NTZ(9)",
}
_TABLE = re.compile(r"^create (?:transient )?table if not exists (\S+) \(\n(.*?)\n\)(.*?);", re.DOTALL | re.MULTILINE)
_COLUMN = re.compile(r" {4}(\w+) (\w+)(\([\d, ]+\))?( not null)?(?: default .+?)?(?: comment '.*')?,?")
_CLUSTERING = re.compile(r"^cluster by \((.+)\)$", re.MULTILINE)
_ADDED = re.compile(r"^alter table (\S+)\s+add column if not exists (\w+)", re.MULTILINE)
_STREAM = re.compile(r"^create stream if not exists (\S+)\s+on table (\S+)(\s+append_only = true)?", re.MULTILINE)


class Column(msgspec.Struct, frozen=True):
    """``type`` as DESC TABLE shows it; ``required``: NULL is not allowed."""

    type: str
    required: bool


class Table(msgspec.Struct, frozen=True):
    """Its columns by name, and the expressions of its clustering key, without blanks; "" is no key."""

    columns: Mapping[str, Column]
    clustering: str


class Stream(msgspec.Struct, frozen=True):
    """The full name of its table, and whether it returns new rows only."""

    table: str
    append_only: bool


class Objects(msgspec.Struct, frozen=True):
    """Tables and streams by name; ``added``: the columns, as (table, name), that an ALTER TABLE adds where missing."""

    tables: Mapping[str, Table]
    streams: Mapping[str, Stream]
    added: frozenset[tuple[str, str]] = frozenset()


def declared_objects() -> Objects:
    """The objects that ``sql/ddl`` declares.

    Raises:
        ValueError: a column is not written as everywhere else, or has a type that nothing here knows.
    """
    files = sorted((sql.SQL_DIRECTORY / "ddl").glob("*.sql"))
    # No clustering key, column or stream depends on a parameter.
    nothing = {"storage_role_arn": "", "telemetry_bucket": ""}
    return parse("\n".join(sql.render(f"ddl/{file.name}", **nothing) for file in files))


def parse(ddl: str) -> Objects:
    """The objects of rendered DDL; raises as ``declared_objects``."""
    text = re.sub(r"^\s*--.*\n", "", ddl, flags=re.MULTILINE)
    tables = {}
    for name, body, options in _TABLE.findall(text):
        key = _CLUSTERING.search(options)
        tables[_last(name)] = Table(_columns(body), _normal(key[1]) if key else "")
    streams = {_last(name): Stream(table.upper(), bool(only)) for name, table, only in _STREAM.findall(text)}
    added = frozenset((_last(table), column.upper()) for table, column in _ADDED.findall(text))
    return Objects(tables, streams, added)


def deployed_objects(connection: SnowflakeConnection, declared: Objects) -> Objects:
    """Those of the declared objects that exist, and that the connection's role can see.

    Raises:
        snowflake.connector.errors.Error: Snowflake did not answer.
    """
    from snowflake.connector.errors import ProgrammingError

    try:
        listed = rows_by_column(connection, f"SHOW TABLES IN SCHEMA {_SCHEMA}")
        streams = rows_by_column(connection, f"SHOW STREAMS IN SCHEMA {_SCHEMA}")
    except ProgrammingError as error:
        if error.errno in DOES_NOT_EXIST:
            return Objects({}, {})
        raise
    tables = {}
    for row in listed:
        if row["name"] in declared.tables:
            described = rows_by_column(connection, f"DESC TABLE {_SCHEMA}.{row['name']}")
            columns = {each["name"]: Column(each["type"], each["null?"] == "N") for each in described}
            tables[row["name"]] = Table(columns, _normal(row["cluster_by"] or ""))
    return Objects(
        tables,
        {
            row["name"]: Stream(str(row["table_name"]), row["mode"] == "APPEND_ONLY")
            for row in streams
            if row["name"] in declared.streams
        },
    )


def impossible_changes(declared: Objects, deployed: Objects, *, keep_unknown_columns: bool = False) -> list[str]:
    """Each difference that running ``sql/ddl`` would not remove: the object, the column, and what is different.

    ``keep_unknown_columns``: a column that is not declared is no difference, if rows can be stored without it.
    """
    found: list[str] = []
    for name, table in deployed.tables.items():
        wanted = declared.tables[name]
        found += _of_columns(name, wanted, table, declared.added, keep_unknown_columns)
        if table.clustering not in ("", wanted.clustering):
            found.append(
                f"{name} is clustered by ({table.clustering}), and this version declares ({wanted.clustering})"
            )
    for name, stream in deployed.streams.items():
        if stream != declared.streams[name]:
            found.append(f"stream {name} is {_text(stream)}, and this version declares {_text(declared.streams[name])}")
    return found


def _of_columns(
    table: str, wanted: Table, present: Table, added: frozenset[tuple[str, str]], keep_unknown: bool
) -> Iterator[str]:
    for name, column in wanted.columns.items():
        if name not in present.columns:
            if (table, name) not in added:
                yield f"{table}.{name} is missing, and this version does not add it: somebody dropped it"
            continue
        of = present.columns[name]
        if not _holds(of.type, column.type):
            yield f"{table}.{name} is {of.type}, and this version declares {column.type}"
        if of.required != column.required:
            yield f"{table}.{name} {_null(of)}, and this version declares that it {_null(column)}"
    for name in present.columns.keys() - wanted.columns.keys():
        if present.columns[name].required:
            yield f"{table}.{name} does not allow NULL, and this version does not write it"
        elif not keep_unknown:
            yield f"{table}.{name} is not a column of this version"


def _columns(body: str) -> dict[str, Column]:
    columns = {}
    for line in body.splitlines():
        written = _COLUMN.fullmatch(line)
        if written is None or written[2] not in _TYPES:
            raise ValueError(f"not a column as sql/ddl writes them: {line.strip()}")
        name, kind, size, required = written.groups()
        plain = _TYPES[kind]
        columns[name.upper()] = Column(f"{plain.partition('(')[0]}{_normal(size)}" if size else plain, bool(required))
    return columns


def _holds(present: str, wanted: str) -> bool:
    """Whether a column of type ``present`` is what ``wanted`` declares."""
    if wanted == _TYPES["string"] and present.startswith("VARCHAR("):
        # A text without a length: an account's own default may be longer.
        return _size(present) >= _size(wanted)
    return present == wanted


def _size(varchar: str) -> int:
    return int(varchar.removeprefix("VARCHAR(").removesuffix(")"))


def _normal(expressions: str) -> str:
    """A clustering key or a size, written in one way: ``LINEAR(a, to_date(b))`` is ``A,TO_DATE(B)``."""
    text = re.sub(r"\s", "", expressions.upper())
    return re.sub(r"^LINEAR\((.*)\)$", r"\1", text)


def _last(name: str) -> str:
    return name.rpartition(".")[2].upper()


def _null(column: Column) -> str:
    return "does not allow NULL" if column.required else "allows NULL"


def _text(stream: Stream) -> str:
    return f"{'append-only' if stream.append_only else 'of all changes'} on {stream.table}"
