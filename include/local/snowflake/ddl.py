"""Databases, schemas and tables: DDL that DuckDB runs, together with what we keep about each of them."""

from __future__ import annotations

import re
from typing import Any

from sqlglot import exp

from . import (
    dml,
    engine,
    errors,
    load_history,
    parameter_values,
    parameters,
    policies,
    streams,
    table_copies,
    view_texts,
)
from .context import Context
from .grammar import Alter
from .names import Key, name_of, named_table, table_node
from .results import Result

# What the catalog keeps about a table or view.
_KEPT = (parameter_values.TABLE_KIND, view_texts.KIND, *policies.KEPT)


def create(context: Context, expression: exp.Create, binds: list[Any] | None) -> Result:
    """Create a database, schema, table, view or sequence; ``expression`` is changed."""
    kind = str(expression.args.get("kind")).upper()
    stated = parameters.take_from(expression)
    if kind in ("DATABASE", "SCHEMA") and re.search("['\"]", "".join(name_of(named_table(expression)).parts)):
        raise errors.unsupported(f"a quotation mark in the name of a {kind.lower()}")
    match kind:
        case "DATABASE":
            return _create_database(context, expression)
        case "SCHEMA":
            return _create_schema(context, expression)
        case "TABLE":
            return _create_table(context, expression, stated, binds)
        case "VIEW" if streams.read_by(context, expression):
            raise errors.unsupported("a view over a stream")
        case "VIEW":
            return _create_view(context, expression)
        case "SEQUENCE":
            return dml.run(context, expression)
    raise errors.unsupported(f"CREATE {kind}")


def define(context: Context, expression: exp.Expr) -> Result:
    """Run other DDL: DROP, ALTER, COMMENT; ``expression`` is changed."""
    kind = str(expression.args.get("kind")).upper()
    if isinstance(expression, exp.Drop):
        if kind == "DATABASE":
            return _drop_database(context, expression)
        if kind == "SCHEMA":
            return _drop_schema(context, expression)
        if kind == "TABLE" and (table := _existing(context, expression)):
            with context.atomic(writes=True):
                _ended(context, table)
                return dml.run(context, expression)
        if kind == "VIEW":
            return _drop_view(context, expression)
    if isinstance(expression, exp.Alter):
        return _alter(context, expression)
    return dml.run(context, expression)


def _alter(context: Context, expression: exp.Alter) -> Result:
    """ALTER of a table or view, with what is kept about it."""
    renaming = expression.find(exp.AlterRename)
    if table := _existing(context, expression):
        policies.check_definition(context, expression, table)
        if renaming:
            return _rename(context, expression, table, renaming.this)
        if any(_is_of_columns(action) for action in expression.args.get("actions") or []):
            return _alter_columns(context, expression, table)
    elif renaming and (view := _existing_view(context, expression)):
        return _rename(context, expression, view, renaming.this)
    return dml.run(context, expression)


# --- databases --------------------------------------------------------------------------------------------------------


def _create_database(context: Context, expression: exp.Create) -> Result:
    if expression.args.get("clone"):
        raise errors.unsupported("CREATE DATABASE ... CLONE")
    name = _database_name(expression)
    if context.catalog.has_database(name):
        if expression.args.get("exists"):
            return Result.status(f"{name} already exists, statement succeeded.")
        if not expression.args.get("replace"):
            raise errors.already_exists(name)
        _leave_and_drop(context, name)
        expression.set("replace", False)
    context.instance.attach_new_database(lambda: dml.run(context, expression))
    context.duck.execute(f'CREATE SCHEMA IF NOT EXISTS "{name}".PUBLIC')
    context.instance.complete_database(name)
    context.translator.use(name, "PUBLIC")
    return Result.status(f"Database {name} successfully created.")


def _drop_database(context: Context, expression: exp.Drop) -> Result:
    name = _database_name(expression)
    if not context.catalog.has_database(name):
        if expression.args.get("exists"):
            return Result.status("Drop statement executed successfully.")
        raise errors.does_not_exist("Database", name)
    _leave_and_drop(context, name)
    return Result.status(f"{name} successfully dropped.")


def _leave_and_drop(context: Context, name: str) -> None:
    """Drop a database with everything in it; the session leaves it first."""
    with context.transaction.writing():
        if context.database == name:
            context.translator.leave()
        context.instance.drop_database(name)


def _database_name(expression: exp.Expr) -> str:
    table = named_table(expression)
    name = name_of(table)
    if len(name.parts) != 1:
        raise errors.compilation_error(f"invalid identifier '{'.'.join(part.name for part in table.parts)}'", 904)
    return name.last


# --- schemas ----------------------------------------------------------------------------------------------------------


def _create_schema(context: Context, expression: exp.Create) -> Result:
    database, name = _schema_key(context, expression)
    if database and engine.has_schema(context.duck, database, name):
        if expression.args.get("exists"):
            return Result.status(f"{name} already exists, statement succeeded.")
        if expression.args.get("replace"):
            raise errors.unsupported("CREATE OR REPLACE SCHEMA (drop it first)")
    return dml.run(context, expression)


def _drop_schema(context: Context, expression: exp.Drop) -> Result:
    """DROP SCHEMA with everything in it: CASCADE is Snowflake's default."""
    if expression.args.get("restrict"):
        raise errors.unsupported("DROP SCHEMA ... RESTRICT")
    database, name = _schema_key(context, expression)
    expression.set("cascade", True)
    if not database or not engine.has_schema(context.duck, database, name):
        return dml.run(context, expression)
    with context.atomic(writes=True):
        for table in engine.tables(context.duck, database, name):
            _ended(context, table)
        streams.forget_schema(context, database, name)
        context.catalog.drop_schema(context.duck, database, name)
        return dml.run(context, expression)


def _schema_key(context: Context, expression: exp.Expr) -> tuple[str | None, str]:
    parts = name_of(named_table(expression)).parts
    return (parts[0] if len(parts) == 2 else context.database), parts[-1]


# --- tables -----------------------------------------------------------------------------------------------------------


def _create_table(context: Context, expression: exp.Create, stated: dict[str, int], binds: list[Any] | None) -> Result:
    _drop_constraints(expression)
    policies.check_copy(context, expression)
    original = table_copies.original_of(context, expression)
    table_copies.as_query(expression)
    table = named_table(expression)
    key = context.table_key(table)
    if expression.find(exp.TemporaryProperty):
        if table.db:
            raise errors.unsupported("CREATE TEMPORARY TABLE with a qualified name")
        name = name_of(table).last
        is_there = bool(expression.args.get("exists")) and name.upper() in context.temporary_tables
        with context.atomic(writes=original is not None and not is_there):
            result = dml.write(context, expression, binds) if _is_query(expression) else dml.run(context, expression)
            if original and not is_there:
                table_copies.complete(context, original, (engine.TEMPORARY, "main", name))
        return result
    before = _existing(context, expression)
    replaced = before if expression.args.get("replace") else None
    with context.atomic(writes=replaced is not None or bool(streams.read_by(context, expression))):
        result = dml.write(context, expression, binds) if _is_query(expression) else dml.run(context, expression)
        if replaced:
            _ended(context, replaced)
        if key and not (before and expression.args.get("exists")):
            if original:
                table_copies.complete(context, original, key)
            parameter_values.keep(context.catalog, context.duck, key, stated)
    return result


def _create_view(context: Context, expression: exp.Create) -> Result:
    """CREATE [SECURE] VIEW: its text is kept in the same transaction."""
    text = view_texts.take_from(context, expression)
    if text is None:
        return dml.run(context, expression)
    is_new = not engine.has_view(context.duck, text.key)
    with context.atomic(writes=True):
        result = dml.run(context, expression)
        if is_new or expression.args.get("replace"):
            _forget(context, text.key)
            view_texts.keep(context, text)
    return result


def _drop_view(context: Context, expression: exp.Drop) -> Result:
    key = context.table_key(named_table(expression))
    with context.atomic(writes=True):
        result = dml.run(context, expression)
        if key is not None:
            _forget(context, key)
    return result


def _rename(context: Context, expression: exp.Alter, old: Key, to: exp.Table) -> Result:
    """ALTER TABLE | VIEW ... RENAME TO: it keeps its streams, parameters, load history, text and policies."""
    new = context.table_key(to)
    if new is None or new[:2] != old[:2]:
        raise errors.unsupported(f"ALTER {expression.args['kind']} ... RENAME TO another schema")
    to.replace(exp.table_(exp.to_identifier(new[2], quoted=True)))
    with context.atomic(writes=True):
        result = dml.run(context, expression)
        streams.table_renamed(context, old, new)
        load_history.table_renamed(context.duck, old, new)
        for kind in _KEPT:
            context.catalog.move(context.duck, kind, old, new)
    return result


def _alter_columns(context: Context, expression: exp.Alter, table: Key) -> Result:
    """ALTER of a table's columns; the rows that its streams keep get the same columns."""
    again = expression.copy()
    with context.atomic(writes=True):
        result = dml.run(context, expression)
        for kept in streams.rows_kept_of(context, table):
            of_kept = again.copy()
            of_kept.set("this", table_node(kept))
            dml.run(context, of_kept)
    return result


def _is_of_columns(action: exp.Expr) -> bool:
    """Whether an action of ALTER TABLE changes which columns there are, their names or types."""
    if isinstance(action, exp.AlterColumn):
        return action.args.get("dtype") is not None
    return isinstance(action, exp.ColumnDef | exp.Drop | exp.RenameColumn)


def alter_parameters(context: Context, statement: Alter) -> Result:
    """ALTER TABLE ... SET | UNSET of parameters; SUSPEND | RESUME RECLUSTER, which changes nothing here."""
    if statement.action in ("SUSPEND", "RESUME"):
        if engine.has_table(context.duck, context.resolve(statement.name)) or statement.if_exists:
            return Result.status("Statement executed successfully.")
        raise errors.does_not_exist("Table", str(statement.name))
    with context.atomic(writes=True):
        streams.settle(context, context.resolve(statement.name))
        return parameters.alter_table(context, statement)


def _is_query(expression: exp.Create) -> bool:
    return isinstance(expression.expression, exp.Query)


def _existing(context: Context, expression: exp.Expr) -> Key | None:
    """The permanent table that a DDL names, if it exists; a temporary table of the same name hides it."""
    table = named_table(expression)
    key = context.table_key(table)
    if key is None or engine.has_temporary_table(context.duck, table.name if table.db == "" else ""):
        return None
    return key if engine.has_table(context.duck, key) else None


def _existing_view(context: Context, expression: exp.Expr) -> Key | None:
    key = context.table_key(named_table(expression))
    return key if key is not None and engine.has_view(context.duck, key) else None


def _ended(context: Context, table: Key) -> None:
    """A table is dropped or replaced: in the same transaction, drop what we keep about it."""
    streams.table_replaced(context, table)
    load_history.forget_table(context.duck, table)
    _forget(context, table)


def _forget(context: Context, key: Key) -> None:
    """Drop what the catalog keeps about a table or view."""
    for kind in _KEPT:
        context.catalog.keep(context.duck, kind, key, {})


def _drop_constraints(expression: exp.Create) -> None:
    """Drop PRIMARY KEY, UNIQUE and FOREIGN KEY: Snowflake records them and enforces only NOT NULL."""
    schema = expression.this
    if not isinstance(schema, exp.Schema):
        return
    recorded = (exp.PrimaryKeyColumnConstraint, exp.UniqueColumnConstraint, exp.Reference)
    kept = []
    for each in schema.expressions:
        if isinstance(each, exp.ColumnDef):
            constraints = each.args.get("constraints") or []
            each.set("constraints", [c for c in constraints if not isinstance(c.args.get("kind"), recorded)])
        elif not isinstance(each, exp.Identifier) and not each.find(exp.CheckColumnConstraint):
            continue
        kept.append(each)
    schema.set("expressions", kept)
