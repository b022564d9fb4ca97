"""What a view is made of: its text as Snowflake's SQL, and whether it is secure.

DuckDB keeps a view's translation.  Masking needs the text itself, and a secure view hides it from all but its owner.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from . import engine, errors
from .context import Context
from .names import Key, common_table, name_of, named_table
from .policy_grammar import SetSecure
from .privileges import OWNERSHIP, Securable
from .reads import INFORMATION_SCHEMA
from .results import Result
from .statements import parse

KIND = "VIEW"


@dataclass(frozen=True)
class ViewText:
    """A view's query, in which each table has its full name, and the names that the view gives to its columns."""

    key: Key
    query: str
    columns: tuple[str, ...]
    secure: bool

    def parsed(self) -> exp.Query:
        parsed = parse(self.query)
        if not isinstance(parsed, exp.Query):
            raise errors.unsupported(f"the text of the view {self.key[2]}")
        return parsed.copy()


def take_from(context: Context, statement: exp.Create) -> ViewText | None:
    """The text of the view that ``statement`` creates; SECURE is taken out of it, in place.  None without a schema."""
    properties = statement.args.get("properties")
    secure = statement.find(exp.SecureProperty)
    if secure is not None:
        secure.pop()
        if properties is not None and not properties.expressions:
            properties.pop()
    key = context.table_key(named_table(statement))
    query = statement.expression
    if key is None or not isinstance(query, exp.Query):
        return None
    query = query.copy()
    for table in list(query.find_all(exp.Table)):
        is_named = isinstance(table.this, exp.Identifier) and common_table(table) is None
        full = context.table_key(table) if is_named else None
        if full is not None:
            for part, name in zip(("catalog", "db", "this"), full, strict=True):
                table.set(part, exp.to_identifier(name, quoted=True))
    schema = statement.this
    columns = [each.name.upper() for each in schema.expressions] if isinstance(schema, exp.Schema) else []
    return ViewText(key, query.sql("snowflake"), tuple(columns), secure is not None)


def keep(context: Context, text: ViewText) -> None:
    """Note the text of a view that was created or replaced."""
    definition = {"QUERY": text.query, "COLUMNS": list(text.columns), "SECURE": text.secure}
    context.catalog.keep(context.duck, KIND, text.key, definition)


def of_view(context: Context, view: Key) -> ViewText | None:
    """The text of a view; None where it is not known: the view is older than this server's memory of texts."""
    kept = context.catalog.definition_of(context.duck, KIND, view)
    return ViewText(view, kept["QUERY"], tuple(kept["COLUMNS"]), bool(kept["SECURE"])) if kept else None


def set_secure(context: Context, statement: SetSecure) -> Result:
    """ALTER VIEW ... SET SECURE | UNSET SECURE."""
    key = context.resolve(statement.name)
    found = context.catalog.find(context.duck, KIND, key)
    if found is None:
        if engine.has_view(context.duck, key):
            raise errors.unsupported("ALTER VIEW ... SECURE of a view that an older version created (create it again)")
        if statement.if_exists:
            return Result.status("Statement executed successfully.")
        raise errors.does_not_exist("View", str(statement.name))
    context.catalog.alter(context.duck, found, {"SECURE": statement.secure})
    return Result.status("Statement executed successfully.")


def is_secure(context: Context, view: Key) -> bool:
    return bool(context.catalog.definition_of(context.duck, KIND, view).get("SECURE"))


def hides_text(context: Context, view: Key) -> bool:
    """Whether the session may not see the text of a view: it is secure, and the session does not own it."""
    return is_secure(context, view) and OWNERSHIP not in context.held(Securable("VIEW", view))


def hide_texts(context: Context, query: exp.Query) -> None:
    """Make INFORMATION_SCHEMA.VIEWS in ``query``, in place, say which views are secure, and hide their texts."""
    for table in list(query.find_all(exp.Table)):
        parts = name_of(table).parts if isinstance(table.this, exp.Identifier) else ()
        if parts[-2:] != (INFORMATION_SCHEMA, "VIEWS"):
            continue
        database = parts[0] if len(parts) == 3 else context.database
        found = [each for each in context.catalog.objects(context.duck, KIND, database) if each.definition["SECURE"]]
        if not found:
            continue
        is_one = exp.or_(*(_is(each.schema, each.name) for each in found))
        hidden = [_is(each.schema, each.name) for each in found
                  if hides_text(context, (each.database, each.schema, each.name))]  # fmt: skip
        replaced = [_replaced("IS_SECURE", is_one, exp.Literal.string("YES"))]
        if hidden:
            replaced.append(_replaced("VIEW_DEFINITION", exp.or_(*hidden), exp.null()))
        alias = table.alias or "VIEWS"
        source = table.copy()
        source.set("alias", None)
        star = exp.Star(**{"replace": replaced})
        table.replace(exp.select(star).from_(source).subquery(alias))


def _is(schema: str, name: str) -> exp.Expr:
    return exp.and_(
        exp.column("TABLE_SCHEMA").eq(exp.Literal.string(schema)), exp.column("TABLE_NAME").eq(exp.Literal.string(name))
    )


def _replaced(column: str, condition: exp.Expr, value: exp.Expr) -> exp.Expr:
    case = exp.case().when(condition, value).else_(exp.column(column))
    return exp.alias_(case, column)
