"""Names of objects: as a statement writes them, and as full keys."""

from __future__ import annotations

import re
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
    parts = tuple(_unquoted(part) if part.startswith('"') else part.upper() for part in text.split("."))
    if not 1 <= len(parts) <= 3 or not all(parts):
        raise errors.compilation_error(f"invalid identifier '{text}'", 904)
    return Name(parts)


def _unquoted(part: str) -> str:
    return part.removeprefix('"').removesuffix('"').replace('""', '"')


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


def like_pattern(like: str) -> re.Pattern[str]:
    """The pattern of SHOW ... LIKE: % is any text, _ any character, and case does not matter."""
    return re.compile(re.escape(like).replace("%", ".*").replace("_", "."), re.IGNORECASE | re.DOTALL)


def quote(part: str) -> str:
    """A part of a name as SQL, whatever is in it."""
    return '"' + part.replace('"', '""') + '"'


def quoted(key: Key) -> str:
    """``key`` as SQL."""
    return ".".join(map(quote, key))


def common_table(node: exp.Table) -> exp.CTE | None:
    """The common table expression whose name stands there; None where it is another name, or not visible."""
    if node.db or not isinstance(node.this, exp.Identifier):
        return None
    name = name_of(node).last
    child: exp.Expr = node
    parent = node.parent
    while parent is not None:
        clause = parent if isinstance(parent, exp.With) else parent.args.get("with_")
        if isinstance(clause, exp.With) and clause is not child:
            found = next((cte for cte in _visible(clause, child) if _alias(cte) == name), None)
            if found is not None:
                return found
        child, parent = parent, parent.parent
    return None


def _visible(clause: exp.With, child: exp.Expr) -> list[exp.CTE]:
    """What a WITH gives to its query, or to ``child``, one of its definitions: those before it."""
    tables: list[exp.CTE] = list(clause.expressions)
    own = next((index for index, cte in enumerate(tables) if cte is child), None)
    if own is None:
        return tables
    return tables[: own + 1] if clause.args.get("recursive") else tables[:own]


def _alias(cte: exp.CTE) -> str:
    alias = cte.args["alias"].this
    return str(alias.name if alias.quoted else alias.name.upper())


def table_node(key: Key) -> exp.Table:
    """``key`` as a part of a parsed statement."""
    database, schema, name = (exp.to_identifier(part, quoted=True) for part in key)
    return exp.table_(name, db=schema, catalog=database)
