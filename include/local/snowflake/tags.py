"""Tags: CREATE, DROP and SHOW, what they are set on, and SYSTEM$GET_TAG."""

from __future__ import annotations

from . import engine, errors
from .catalog import ACCOUNT
from .context import Context
from .grammar import Create, Drop, Show
from .names import Key
from .policy_grammar import SetTags
from .privileges import Securable
from .results import Result

# For each object, or each table with its columns: "" or the column -> the uid of each tag -> its value.
TAGGED = "TAGGED"
_DOMAINS = {"TABLE": "TABLE", "VIEW": "TABLE", "COLUMN": "COLUMN", "WAREHOUSE": "WAREHOUSE", "DATABASE": "DATABASE",
            "SCHEMA": "SCHEMA"}  # fmt: skip


def create(context: Context, statement: Create) -> Result:
    """CREATE TAG name [ALLOWED_VALUES 'a', ...] [COMMENT = ...]."""
    name = statement.name.last
    created = context.catalog.create(context.duck, statement, context.resolve(statement.name), statement.options)
    return Result.status(
        f"Tag {name} successfully created." if created else f"{name} already exists, statement succeeded."
    )


def drop(context: Context, statement: Drop) -> Result:
    """DROP TAG: it is then set on nothing."""
    return context.drop(statement)


def show(context: Context, statement: Show) -> Result:
    rows = [
        (each.created_on, each.name, each.database, each.schema,
         context.grants.owner(Securable("TAG", (each.database, each.schema, each.name))),
         each.definition.get("COMMENT", ""), _listed(each.definition.get("ALLOWED_VALUES")))
        for each in context.shown(statement)
    ]  # fmt: skip
    columns = ["created_on", "name", "database_name", "schema_name", "owner", "comment", "allowed_values"]
    return Result.of(columns, rows)


def set_on(context: Context, statement: SetTags) -> Result:
    """ALTER ... SET TAG | UNSET TAG."""
    try:
        key = _existing(context, statement)
    except errors.SnowflakeError as error:
        if statement.if_exists and error.errno == 2003:
            return Result.status("Statement executed successfully.")
        raise
    kept = dict(context.catalog.definition_of(context.duck, TAGGED, key))
    at = statement.column or ""
    of_one = dict(kept.get(at, {}))
    for name, value in statement.tags:
        tag = context.catalog.get(context.duck, "TAG", context.resolve(name))
        allowed = tag.definition.get("ALLOWED_VALUES")
        if value is None:
            of_one.pop(tag.uid, None)
        elif allowed and value not in allowed:
            raise errors.compilation_error(
                f"Invalid value '{value}' for tag '{tag.name}'. Allowed values are: {', '.join(allowed)}.",
                3544,
                "22023",
            )
        else:
            of_one[tag.uid] = value
    set_now = {place: values for place, values in (kept | {at: of_one}).items() if values}
    context.catalog.keep(context.duck, TAGGED, key, set_now)
    return Result.status("Statement executed successfully.")


def get_tag(context: Context, tag: str, name: str, domain: str) -> str | None:
    """SYSTEM$GET_TAG: the value that is set on an object, or on what it is in; None where there is none."""
    domain = domain.upper()
    if domain not in _DOMAINS:
        raise errors.unsupported(f"SYSTEM$GET_TAG of the domain '{domain}'")
    uid = context.catalog.get(context.duck, "TAG", context.resolve_text(tag)).uid
    for key, at in _lineage(context, name, domain):
        value = context.catalog.definition_of(context.duck, TAGGED, key).get(at, {}).get(uid)
        if value is not None:
            return str(value)
    return None


def _existing(context: Context, statement: SetTags) -> Key:
    """Where the tags of the object that a statement names are kept.

    Raises:
        SnowflakeError: there is no such object or column.
    """
    kind, name = statement.kind, statement.name
    if kind == "WAREHOUSE":
        context.catalog.get(context.duck, "WAREHOUSE", (*ACCOUNT, name.last))
        return (*ACCOUNT, name.last)
    if kind == "DATABASE":
        if not context.catalog.has_database(name.last):
            raise errors.does_not_exist("Database", name.last)
        return name.last, "", ""
    if kind == "SCHEMA":
        database = name.parts[0] if len(name.parts) == 2 else context.database or ""
        if not engine.has_schema(context.duck, database, name.last):
            raise errors.does_not_exist("Schema", str(name))
        return database, name.last, ""
    key = context.resolve(name)
    exists = engine.has_table if kind == "TABLE" else engine.has_view
    if not exists(context.duck, key):
        raise errors.does_not_exist(kind, str(name))
    if statement.column is not None and statement.column not in engine.columns(context.duck, key):
        raise errors.compilation_error(f"invalid identifier '{statement.column}'", 904)
    return key


def _lineage(context: Context, name: str, domain: str) -> list[tuple[Key, str]]:
    """Where a tag of an object may be set: on the object itself, then on what it is in, from the inside out."""
    if domain == "WAREHOUSE":
        return [((*ACCOUNT, name.upper()), "")]
    if domain == "DATABASE":
        return [((name.upper(), "", ""), "")]
    found: list[tuple[Key, str]] = []
    if domain == "SCHEMA":
        *above, schema = name.upper().split(".")
        database = above[0] if above else context.database or ""
    else:
        column = ""
        if domain == "COLUMN":
            name, _, column = name.rpartition(".")
        table = context.resolve_text(name)
        if column:
            found.append((table, column.upper()))
        found.append((table, ""))
        database, schema, _ = table
    return [*found, ((database, schema, ""), ""), ((database, "", ""), "")]


def _listed(values: list[str] | None) -> str | None:
    return None if values is None else "[" + ",".join(f'"{each}"' for each in values) + "]"
