"""An object belongs to the primary role that created it; with an object go all grants on it."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from . import engine, grammar, needs
from .catalog import ACCOUNT
from .context import Context
from .names import Key, named_table
from .privileges import PRIVILEGES_OF_ACCOUNT_OBJECTS, Securable
from .statements import Statement

Change = Callable[[Context], None]


def change_of(context: Context, statement: Statement) -> Change | None:
    """The change of grants that comes with ``statement``, to be made when it has succeeded.

    It is worked out before: names are resolved in the schema that is current then, and IF NOT EXISTS depends on what is
    there then.
    """
    match statement:
        case exp.Create():
            return _creation(context, statement)
        case exp.Drop():
            kind = str(statement.args.get("kind")).upper()
            return _drop(needs.securable(context, kind, named_table(statement)))
        case exp.Alter() if (renaming := statement.find(exp.AlterRename)) is not None:
            kind = str(statement.args.get("kind")).upper()
            return _rename(
                needs.securable(context, kind, statement.this), needs.securable(context, kind, renaming.this)
            )
        case grammar.Create():
            on = needs.our_securable(context, statement)
            if statement.if_not_exists and exists(context, on):
                return None
            return _recreated(on) if on.kind in ("ROLE", "USER") else _created(on)
        case grammar.Drop():
            return _drop(needs.our_securable(context, statement))
    return None


def is_hidden(on: Securable) -> bool:
    """Whether an object is in what DuckDB, fakesnow and this server keep for themselves: no role reaches it."""
    return bool(on.key) and on.kind not in PRIVILEGES_OF_ACCOUNT_OBJECTS and engine.is_hidden(*on.key[:2])


def exists(context: Context, on: Securable) -> bool:
    duck, catalog = context.duck, context.catalog
    if is_hidden(on):
        return False
    match on.kind:
        case "ACCOUNT":
            return True
        case "DATABASE":
            return catalog.has_database(on.key[0])
        case "SCHEMA":
            return catalog.has_database(on.key[0]) and engine.has_schema(duck, on.key[0], on.key[1])
        case "TABLE":
            return engine.has_table(duck, _full(on))
        case "VIEW":
            return engine.has_view(duck, _full(on))
        case "SEQUENCE":
            return _full(on) in engine.sequences(duck, on.key[0], on.key[1])
        case "INTEGRATION":
            kinds = ["STORAGE INTEGRATION", "NOTIFICATION INTEGRATION"]
        case _:
            kinds = [on.kind]
    key = _full(on) if len(on.key) == 3 else (*ACCOUNT, on.key[0])
    return any(catalog.may_exist(kind, key[2]) and catalog.find(duck, kind, key) for kind in kinds)


def _creation(context: Context, statement: exp.Create) -> Change | None:
    on = needs.securable(context, str(statement.args.get("kind")).upper(), named_table(statement), created=True)
    if on is None or statement.find(exp.TemporaryProperty):
        return None
    if statement.args.get("exists") and exists(context, on):
        return None
    keep = statement.find(exp.CopyGrantsProperty) is not None
    if on.kind == "DATABASE":
        return lambda context: _create_database(context, on)
    return _created(on, keep=keep)


def _created(on: Securable, *, keep: bool = False) -> Change:
    return lambda context: context.grants.created(on, context.role, keep=keep)


def _recreated(on: Securable) -> Change:
    """A role or user is created, or takes the place of another: all grants of and to that go."""
    return lambda context: _recreate(context, on)


def _recreate(context: Context, on: Securable) -> None:
    context.grants.dropped(on, context.role)
    context.grants.created(on, context.role, keep=False)


def _create_database(context: Context, on: Securable) -> None:
    _recreate(context, on)
    context.grants.created(Securable("SCHEMA", (*on.key, "PUBLIC")), context.role, keep=False)


def _drop(on: Securable | None) -> Change | None:
    return None if on is None else lambda context: context.grants.dropped(on, context.role)


def _rename(on: Securable | None, to: Securable | None) -> Change | None:
    return None if on is None or to is None else lambda context: context.grants.renamed(on, to)


def _full(on: Securable) -> Key:
    database, schema, name = on.key
    return database, schema, name
