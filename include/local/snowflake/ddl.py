"""Databases, schemas and tables: DDL that DuckDB runs, and what of ours begins and ends with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from . import errors, load_history, parameters, streams
from .results import Result

if TYPE_CHECKING:
    from .session import Session

TableKey = tuple[str, str, str]


def create(session: Session, expression: exp.Create, binds: list[Any] | None) -> Result:
    """CREATE of a database, schema, table, view or sequence; ``expression`` is used up."""
    kind = str(expression.args.get("kind")).upper()
    stated = parameters.take_from(expression)
    match kind:
        case "DATABASE":
            return _create_database(session, expression)
        case "SCHEMA":
            return _create_schema(session, expression)
        case "TABLE":
            return _create_table(session, expression, stated, binds)
        case "VIEW" if streams.read_by(session, expression):
            raise errors.unsupported("a view over a stream")
        case "VIEW" | "SEQUENCE":
            return session.run(expression)
    raise errors.unsupported(f"CREATE {kind}")


def define(session: Session, expression: exp.Expr) -> Result:
    """Other DDL: DROP, ALTER, COMMENT."""
    kind = str(expression.args.get("kind")).upper()
    if isinstance(expression, exp.Drop):
        if kind == "DATABASE":
            return _drop_database(session, expression)
        if kind == "SCHEMA":
            return _drop_schema(session, expression)
        if kind == "TABLE" and (table := _existing(session, expression)):
            with session.atomic(writes=True):
                _ended(session, table)
                return session.run(expression)
    renaming = expression.find(exp.AlterRename) if isinstance(expression, exp.Alter) else None
    if renaming and (table := _existing(session, expression)):
        return _rename(session, expression, table, renaming.this)
    return session.run(expression)


# --- databases --------------------------------------------------------------------------------------------------------


def _create_database(session: Session, expression: exp.Create) -> Result:
    name = _database_name(expression)
    if session.instance.has_database(name):
        if expression.args.get("exists"):
            return Result.status(f"{name} already exists, statement succeeded.")
        if not expression.args.get("replace"):
            raise errors.already_exists(name)
        _leave_and_drop(session, name)
        expression.set("replace", False)
    session.instance.attach_new_database(lambda: session.run(expression))
    session.duck.execute(f'CREATE SCHEMA IF NOT EXISTS "{name}".PUBLIC')
    session.instance.complete_database(name)
    session.translator.use(name, "PUBLIC")
    return Result.status(f"Database {name} successfully created.")


def _drop_database(session: Session, expression: exp.Drop) -> Result:
    name = _database_name(expression)
    if not session.instance.has_database(name):
        if expression.args.get("exists"):
            return Result.status("Drop statement executed successfully.")
        raise errors.does_not_exist("Database", name)
    _leave_and_drop(session, name)
    return Result.status(f"{name} successfully dropped.")


def _leave_and_drop(session: Session, name: str) -> None:
    """Drop a database with all that it has; it is nobody's current one any more."""
    session.instance.writers.acquire(session)
    try:
        if session.database == name:
            session.translator.leave()
        session.instance.drop_database(name)
    finally:
        session.instance.writers.release(session)


def _database_name(expression: exp.Expr) -> str:
    parts = expression.find(exp.Table).parts
    if len(parts) != 1:
        raise errors.compilation_error(f"invalid identifier '{'.'.join(part.name for part in parts)}'", 904)
    return parts[0].name if parts[0].args.get("quoted") else parts[0].name.upper()


# --- schemas ----------------------------------------------------------------------------------------------------------


def _create_schema(session: Session, expression: exp.Create) -> Result:
    database, name = _schema_key(session, expression)
    if database and session.instance.has_schema(session.duck, database, name):
        if expression.args.get("exists"):
            return Result.status(f"{name} already exists, statement succeeded.")
        if expression.args.get("replace"):
            raise errors.unsupported("CREATE OR REPLACE SCHEMA (drop it first)")
    return session.run(expression)


def _drop_schema(session: Session, expression: exp.Drop) -> Result:
    """DROP SCHEMA, with all that it has: CASCADE is Snowflake's default."""
    if expression.args.get("restrict"):
        raise errors.unsupported("DROP SCHEMA ... RESTRICT")
    database, name = _schema_key(session, expression)
    expression.set("cascade", True)
    if not database or not session.instance.has_schema(session.duck, database, name):
        return session.run(expression)
    with session.atomic(writes=True):
        for table in session.instance.tables(session.duck, database, name):
            _ended(session, table)
        streams.forget_schema(session, database, name)
        session.instance.catalog.drop_schema(session.duck, database, name)
        return session.run(expression)


def _schema_key(session: Session, expression: exp.Expr) -> tuple[str | None, str]:
    table = expression.find(exp.Table)
    parts = [part.name if part.args.get("quoted") else part.name.upper() for part in table.parts]
    return (parts[0] if len(parts) == 2 else session.database), parts[-1]


# --- tables -----------------------------------------------------------------------------------------------------------


def _create_table(session: Session, expression: exp.Create, stated: dict[str, int], binds: list[Any] | None) -> Result:
    _drop_constraints(expression)
    key = session.table_key(expression.find(exp.Table))
    if expression.find(exp.TemporaryProperty):
        if expression.find(exp.Table).db:
            raise errors.unsupported("CREATE TEMPORARY TABLE with a qualified name")
        return session.write(expression, binds) if _is_query(expression) else session.run(expression)
    before = _existing(session, expression)
    replaces = bool(before and expression.args.get("replace"))
    with session.atomic(writes=replaces or bool(streams.read_by(session, expression))):
        result = session.write(expression, binds) if _is_query(expression) else session.run(expression)
        if replaces:
            _ended(session, before)
        if key and not (before and expression.args.get("exists")):
            parameters.keep(session, key, stated)
    return result


def _rename(session: Session, expression: exp.Expr, table: TableKey, to: exp.Table) -> Result:
    """ALTER TABLE ... RENAME TO: its streams, parameters and load history go with it."""
    new = session.table_key(to)
    if new is None or new[:2] != table[:2]:
        raise errors.unsupported("ALTER TABLE ... RENAME TO another schema")
    to.replace(exp.to_table(exp.to_identifier(new[2], quoted=True)))
    with session.atomic(writes=True):
        result = session.run(expression)
        streams.table_renamed(session, table, new)
        load_history.table_renamed(session, table, new)
        parameters.table_renamed(session, table, new)
    return result


def _is_query(expression: exp.Create) -> bool:
    return isinstance(expression.expression, exp.Query)


def _existing(session: Session, expression: exp.Expr) -> TableKey | None:
    """The permanent table that a DDL names, if there is one; a temporary one of that name hides it."""
    table = expression.find(exp.Table)
    key = session.table_key(table)
    if key is None or session.instance.has_temporary(session.duck, table.name if table.db == "" else ""):
        return None
    return key if session.instance.has_table(session.duck, key) else None


def _ended(session: Session, table: TableKey) -> None:
    """A table is dropped or replaced: in the same transaction end what was kept about it."""
    streams.table_replaced(session, table)
    load_history.forget_table(session, table)
    parameters.forget(session, table)


def _drop_constraints(expression: exp.Create) -> None:
    """Snowflake records PRIMARY KEY, UNIQUE and FOREIGN KEY and enforces none; NOT NULL it enforces."""
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
