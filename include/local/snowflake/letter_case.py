"""Names that differ by case only: to Snowflake ``"a"`` and ``A`` are two names, to DuckDB they are one.

Such a statement is refused.  One that creates the second name gets an error with both names.  One that uses a name in
other letters gets Snowflake's error for a missing object or column.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlglot import exp

from . import engine, errors
from .context import Context
from .names import Key, common_table, name_of, named_table


def check(context: Context, statement: exp.Expr) -> None:
    """Compare the names in ``statement`` with each other, and with those of what is stored.

    Raises:
        SnowflakeError: 000002, it makes a second name that differs by case only; 002003 or 000904, it names something
            with other letters than it has.
    """
    for select in statement.find_all(exp.Select):
        _refuse_pairs(each.alias_or_name if _is_quoted(each) else each.alias_or_name.upper() for each in select.selects)
    _refuse_pairs(_name(column.this) for column in statement.find_all(exp.ColumnDef))
    if not context.translator.mixes_case and not any(_is_odd(each) for each in statement.find_all(exp.Identifier)):
        return
    tables = [
        each
        for each in statement.find_all(exp.Table)
        if isinstance(each.this, exp.Identifier) and common_table(each) is None
    ]
    kind = str(statement.args.get("kind")).upper()
    if kind in ("DATABASE", "SCHEMA") and isinstance(statement, exp.Create | exp.Drop):
        _check_container(context, kind, named_table(statement), made=isinstance(statement, exp.Create))
        return
    made = _made(statement)
    stored = list(engine.relations(context.duck))
    keys = [(table, key) for table in tables if (key := context.table_key(table)) is not None]
    for table, key in keys:
        _check_table(key, stored, made=table in made)
    _check_columns(context, statement, [key for _, key in keys])


def _made(statement: exp.Expr) -> list[exp.Table]:
    """The tables and views that a statement creates, under the names that they get."""
    if isinstance(statement, exp.Create):
        found = statement.find(exp.Table)
        return [found] if found else []
    return [each.this for each in statement.find_all(exp.AlterRename)]


def _check_container(context: Context, kind: str, table: exp.Table, *, made: bool) -> None:
    parts = name_of(table).parts
    database = parts[0] if len(parts) == 2 else context.database or ""
    stored = engine.databases(context.duck) if kind == "DATABASE" else engine.schemas(context.duck, database)
    if (other := _other(parts[-1], stored)) is not None:
        raise _second(parts[-1], other) if made else errors.does_not_exist(kind.capitalize(), parts[-1])


def _check_table(key: Key, stored: list[Key], *, made: bool) -> None:
    for position in (0, 1, 2):
        of_container = {each[position] for each in stored if each[:position] == key[:position]}
        if position == 2:
            of_container |= {name for database, _, name in stored if database == engine.TEMPORARY}
        if (other := _other(key[position], of_container)) is not None:
            raise _second(key[2], other) if made and position == 2 else errors.does_not_exist("Object", ".".join(key))


def _check_columns(context: Context, statement: exp.Expr, tables: list[Key]) -> None:
    stored = {name for key in tables for name in engine.columns(context.duck, key)}
    aliases = {_name(each.args["alias"]) for each in statement.find_all(exp.Alias)}
    renamed = {id(each.args["to"]) for each in statement.find_all(exp.RenameColumn)}
    used = [each.this for each in statement.find_all(exp.Column) if id(each) not in renamed]
    if isinstance(statement, exp.Insert) and isinstance(statement.this, exp.Schema):
        used += statement.this.expressions
    for identifier in used:
        name = _name(identifier)
        if isinstance(identifier, exp.Identifier) and name not in aliases and _other(name, stored) is not None:
            raise errors.compilation_error(f"invalid identifier '{identifier.sql('snowflake')}'", 904, "42000")
    if isinstance(statement, exp.Alter):
        made = [each.args["to"].this for each in statement.find_all(exp.RenameColumn)]
        for each in [*(added.this for added in statement.find_all(exp.ColumnDef)), *made]:
            if (other := _other(_name(each), stored)) is not None:
                raise _second(_name(each), other)


def _refuse_pairs(names: Iterator[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.upper(), name)
        if name and other != name:
            raise _second(name, other)


def _other(name: str, stored: Iterable[str]) -> str | None:
    """The stored name that differs from ``name`` by case, unless that is stored itself."""
    found = [each for each in stored if each.upper() == name.upper()]
    return found[0] if found and name not in found else None


def _second(name: str, other: str) -> errors.SnowflakeError:
    return errors.unsupported(f'the name "{name}" beside "{other}", which differ by case only')


def _is_quoted(column: exp.Expr) -> bool:
    named = column.args.get("alias") if isinstance(column, exp.Alias) else column.this
    return isinstance(named, exp.Identifier) and bool(named.quoted)


def _name(identifier: exp.Expr) -> str:
    return identifier.name if identifier.args.get("quoted") else identifier.name.upper()


def _is_odd(identifier: exp.Identifier) -> bool:
    return bool(identifier.quoted) and identifier.name != identifier.name.upper()
