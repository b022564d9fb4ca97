"""Masking policies: what a column shows to whom.

A query of a role that sees masked values is rewritten before it is translated: a table with masked columns becomes a
subquery that puts the policy's value in the place of each, and a view above such a table becomes its text, rewritten
in the same way.  A role to which its policies show everything pays nothing.
"""

from __future__ import annotations

from sqlglot import exp
from sqlglot.optimizer.simplify import simplify

from . import engine, errors, functions, reads, view_texts
from .catalog import MASKED, CatalogObject
from .context import Context
from .grammar import Create, Describe, Drop, Show
from .names import Key, common_table, table_node
from .policy_grammar import SetBody, SetMasking
from .privileges import Securable
from .reader import Options
from .results import Result
from .statements import parse

_POLICY = "MASKING POLICY"
_DONE = "Statement executed successfully."
_REFUSED = ("INVOKER_ROLE", "INVOKER_SHARE")


# --- policies ---------------------------------------------------------------------------------------------------------


def create(context: Context, statement: Create) -> Result:
    """CREATE MASKING POLICY name AS (argument type) RETURNS type -> body."""
    if unknown := set(statement.options) - {"ARGUMENT", "TYPE", "BODY", "COMMENT"}:
        raise errors.unsupported(f"CREATE MASKING POLICY ... {sorted(unknown)[0]}")
    _check_body(statement.options)
    key = context.resolve(statement.name)
    if statement.or_replace and _columns_of(context, key):
        raise errors.compilation_error(f"Policy '{statement.name.last}' cannot be replaced: it is set on a column.")
    created = context.catalog.create(context.duck, statement, key, statement.options)
    name = statement.name.last
    return Result.status(
        f"Masking policy {name} successfully created." if created else f"{name} already exists, statement succeeded."
    )


def set_body(context: Context, statement: SetBody) -> Result:
    """ALTER MASKING POLICY ... SET BODY: from now on, wherever it is set."""
    found = context.catalog.find(context.duck, _POLICY, context.resolve(statement.name))
    if found is None:
        if statement.if_exists:
            return Result.status(_DONE)
        raise errors.does_not_exist(_POLICY, str(statement.name))
    changes = {"BODY": statement.body}
    _check_body(found.definition | changes)
    context.catalog.alter(context.duck, found, changes)
    return Result.status(_DONE)


def drop(context: Context, statement: Drop) -> Result:
    return context.drop(statement, lambda policy: next(iter(_columns_of(context, policy)), None))


def show(context: Context, statement: Show) -> Result:
    rows = [
        (each.created_on, each.name, each.database, each.schema, "MASKING_POLICY", _owner(context, each),
         each.definition.get("COMMENT", ""))
        for each in context.shown(statement)
    ]  # fmt: skip
    return Result.of(["created_on", "name", "database_name", "schema_name", "kind", "owner", "comment"], rows)


def describe(context: Context, statement: Describe) -> Result:
    found = context.catalog.get(context.duck, _POLICY, context.resolve(statement.name)).definition
    row = (statement.name.last, f"({found['ARGUMENT']} {found['TYPE']})", found["TYPE"], found["BODY"])
    return Result.of(["name", "signature", "return_type", "body"], [row])


def set_on_columns(context: Context, statement: SetMasking) -> Result:
    """ALTER TABLE | VIEW ... MODIFY COLUMN ... SET | UNSET MASKING POLICY."""
    key = context.resolve(statement.name)
    exists = engine.has_table if statement.kind == "TABLE" else engine.has_view
    if not exists(context.duck, key):
        if statement.if_exists:
            return Result.status(_DONE)
        raise errors.does_not_exist(statement.kind, str(statement.name))
    present = engine.columns(context.duck, key)
    masked = dict(context.catalog.definition_of(context.duck, MASKED, key))
    for column, policy in statement.columns:
        if column not in present:
            raise errors.compilation_error(f"invalid identifier '{column}'", 904)
        if policy is None:
            if masked.pop(column, None) is None:
                raise errors.compilation_error(f"Column '{column}' has no masking policy.")
            continue
        of_policy = context.resolve(policy)
        context.catalog.get(context.duck, _POLICY, of_policy)
        if column in masked and not statement.force:
            raise errors.compilation_error(
                f"Specified column already attached to another masking policy. A column cannot be attached to multiple"
                f" masking policies. Please drop the current association in order to attach a new masking policy:"
                f" {column}", 3548, "0A000",
            )  # fmt: skip
        masked[column] = list(of_policy)
    context.catalog.keep(context.duck, MASKED, key, masked)
    return Result.status(_DONE)


def is_masked(context: Context, table: Key) -> bool:
    """Whether a column of the table has a masking policy."""
    return bool(context.catalog.definition_of(context.duck, MASKED, table))


# --- rewriting --------------------------------------------------------------------------------------------------------


def applied(context: Context, sql: str, expression: exp.Expr) -> tuple[str, exp.Expr]:
    """A query or DML as the session may see it, and the text of that; both unchanged where nothing is masked.

    Raises:
        SnowflakeError: the statement changes a table by values that the session sees masked, or it reads what can't be
            rewritten.
    """
    if not _reads_rows(expression):
        return sql, expression
    secured = "VIEWS" in sql.upper() and isinstance(expression, exp.Query)
    masks = context.catalog.has_kind(MASKED)
    if not (masks or secured):
        return sql, expression
    rewritten = expression.copy()
    if secured and isinstance(rewritten, exp.Query):
        view_texts.hide_texts(context, rewritten)
    if masks:
        _rewrite(context, rewritten)
    if rewritten == expression:
        return sql, expression
    return rewritten.sql("snowflake"), rewritten


def _reads_rows(expression: exp.Expr) -> bool:
    """Whether a statement reads rows for its session: a view that is created reads them later, for others."""
    if isinstance(expression, exp.Create):
        return str(expression.args.get("kind")).upper() == "TABLE" and isinstance(expression.expression, exp.Query)
    return isinstance(expression, exp.Query | exp.Insert | exp.Update | exp.Delete | exp.Merge)


def _rewrite(context: Context, expression: exp.Expr) -> None:
    """Put what the session may see in the place of every table and view of ``expression``, in place."""
    target = _target(expression)
    for table in list(expression.find_all(exp.Table)):
        if not isinstance(table.this, exp.Identifier) or common_table(table) is not None:
            continue
        on = reads.relation(context, table)
        if on is None or on.kind == "DATABASE":
            continue
        key = (on.key[0], on.key[1], on.key[2])
        if on.kind == "STREAM":
            stream = context.catalog.get(context.duck, "STREAM", key)
            source = tuple(stream.definition["TABLE"])
            if _visible(context, source) is not None:
                raise errors.unsupported("a stream on a table with columns that are masked for the role")
            continue
        query = _visible(context, key)
        if query is None or (table is target and isinstance(expression, exp.Insert)):
            continue
        if table is target:
            raise errors.unsupported("UPDATE, DELETE or MERGE of a table with columns that are masked for the role")
        table.replace(_in_the_place_of(table, query))


def _target(expression: exp.Expr) -> exp.Expr | None:
    """The table that a DML writes, or a CREATE TABLE AS creates."""
    if not isinstance(expression, exp.Insert | exp.Update | exp.Delete | exp.Merge | exp.Create):
        return None
    into = expression.this
    found: exp.Expr | None = into.this if isinstance(into, exp.Schema) else into
    return found


def _in_the_place_of(table: exp.Table, query: exp.Query) -> exp.Subquery:
    alias = table.args.get("alias")
    replaced = query.subquery(alias.copy() if alias else exp.TableAlias(this=table.this.copy()))
    for part in ("joins", "pivots", "sample"):
        if table.args.get(part):
            replaced.set(part, table.args[part])
    return replaced


def _visible(context: Context, key: Key) -> exp.Query | None:
    """What the session sees of a table or view, as a query; None where it sees everything."""
    query = _of_view(context, key) if engine.has_view(context.duck, key) else None
    masks = []
    for column, policy in context.catalog.definition_of(context.duck, MASKED, key).items():
        value = _value(context, policy, column)
        if value is not None:
            masks.append(exp.alias_(value, column, quoted=True))
    if masks:
        source = query.subquery("MASKED") if query is not None else table_node(key)
        query = exp.select(exp.Star(**{"replace": masks})).from_(source)
    return query


def _of_view(context: Context, key: Key) -> exp.Query | None:
    text = view_texts.of_view(context, key)
    if text is None:
        raise errors.unsupported(f"the view {key[2]}, which an older version created, beside a masking policy")
    plain, query = text.parsed(), text.parsed()
    _rewrite(context, query)
    if query == plain:
        return None
    if text.columns:
        alias = exp.TableAlias(
            this=exp.to_identifier("RENAMED"), columns=[exp.to_identifier(name, quoted=True) for name in text.columns]
        )
        query = exp.select("*").from_(query.subquery(alias))
    return query


def _value(context: Context, policy: list[str], column: str) -> exp.Expr | None:
    """What a policy makes of a column for this session; None where that is the column itself."""
    kept = context.catalog.get(context.duck, _POLICY, (policy[0], policy[1], policy[2])).definition
    body = parse("SELECT " + kept["BODY"]).expressions[0].unalias().copy()  # type: ignore[union-attr]  # _check_body parsed it
    holder = exp.select(body)
    functions.substitute(context, holder, formats=False)
    for each in list(holder.find_all(exp.In)):
        if isinstance(each.this, exp.Literal) and all(isinstance(one, exp.Literal) for one in each.expressions):
            each.replace(exp.convert(each.this in each.expressions))
    for argument in list(holder.find_all(exp.Column)):
        if argument.name.upper() == kept["ARGUMENT"]:
            argument.replace(exp.column(column, quoted=True))
    (value,) = simplify(holder).expressions
    if value == exp.column(column, quoted=True):
        return None
    return exp.cast(value, kept["TYPE"], dialect="snowflake")


# --- what is kept -----------------------------------------------------------------------------------------------------


def _check_body(options: Options) -> None:
    """Refuse a body that this server can't apply."""
    body = parse("SELECT " + str(options["BODY"]))
    if not isinstance(body, exp.Select) or len(body.expressions) != 1 or body.args.get("from_"):
        raise errors.compilation_error("The body of a masking policy must be one expression.")
    if body.find(exp.Subquery, exp.Exists) or any(body.find_all(exp.Table)):
        raise errors.unsupported("a masking policy with a subquery")
    used = {str(each.this).upper() for each in body.find_all(exp.Anonymous)}
    if refused := used & set(_REFUSED):
        raise errors.unsupported(f"{sorted(refused)[0]} in a masking policy")
    others = {each.name.upper() for each in body.find_all(exp.Column)} - {options["ARGUMENT"]}
    if others:
        raise errors.compilation_error(f"invalid identifier '{sorted(others)[0]}'", 904)


def _columns_of(context: Context, policy: Key) -> list[str]:
    """The columns that have a policy, with their tables."""
    found = context.catalog.objects(context.duck, MASKED)
    return [
        f"{each.full_name}.{column}"
        for each in found
        for column, of in each.definition.items()
        if tuple(of) == tuple(policy)
    ]


def _owner(context: Context, each: CatalogObject) -> str:
    return context.grants.owner(Securable(_POLICY, (each.database, each.schema, each.name)))
