"""Names of objects: as a statement writes them, and as full keys."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from . import errors

# Database, schema and name of an object.
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Name:
    """An object's name as written: one to three parts, unquoted ones in upper case."""

    parts: tuple[str, ...]

    @property
    def last(self) -> str:
        return self.parts[-1]

    def __str__(self) -> str:
        return ".".join(self.parts)


def name_in(text: str) -> Name:
    """The name that a string holds, such as a system function's argument.

    Raises:
        SnowflakeError: it is no name of one to three parts.
    """
    parts = tuple(part.strip('"') if part.startswith('"') else part.upper() for part in text.split("."))
    if not 1 <= len(parts) <= 3 or not all(parts):
        raise errors.compilation_error(f"invalid identifier '{text}'", 904)
    return Name(parts)


def name_of(table: exp.Table) -> Name:
    """The name that a parsed statement has in a table's place."""
    return Name(tuple(part.name if part.args.get("quoted") else part.name.upper() for part in table.parts))


def named_table(expression: exp.Expr) -> exp.Table:
    """The first table (or database, or schema) that a statement names.

    Raises:
        SnowflakeError: it names none.
    """
    table = expression.find(exp.Table)
    if table is None:
        raise errors.unsupported(f"the statement {expression.sql('snowflake')[:60]!r}")
    return table


def quoted(key: Key) -> str:
    """``key`` as SQL."""
    database, schema, name = key
    return f'"{database}"."{schema}"."{name}"'


def table_node(key: Key) -> exp.Table:
    """``key`` as a part of a parsed statement."""
    database, schema, name = (exp.to_identifier(part, quoted=True) for part in key)
    return exp.table_(name, db=schema, catalog=database)
