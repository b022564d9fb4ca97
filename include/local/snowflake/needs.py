"""The privileges that a statement needs, as Snowflake's documentation of each command names them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp

from . import grammar, policy_grammar, reads
from .catalog import MASKED
from .context import Context
from .names import name_of, named_table
from .privileges import OWNERSHIP, SCHEMA_OBJECTS, THE_ACCOUNT, USAGE, Securable, kind_of
from .statements import Statement, parse


@dataclass(frozen=True)
class Need:
    """One of these privileges on an object, besides USAGE of what it is in; none named: any is enough."""

    on: Securable
    any_of: frozenset[str]
    of_primary_role: bool = False  # objects are created by the primary role


@dataclass(frozen=True)
class Needs:
    """Everything that a statement needs; with ``if_exists`` an object that is not seen counts as missing."""

    privileges: tuple[Need, ...] = ()
    warehouse: bool = False
    if_exists: bool = False


# Functions that name an object, and what they need of it.
_FUNCTIONS = {
    "SYSTEM$PIPE_FORCE_RESUME": ("PIPE", ("OPERATE",)),
    "SYSTEM$PIPE_STATUS": ("PIPE", ("MONITOR", "OPERATE")),
    "SYSTEM$STREAM_HAS_DATA": ("STREAM", ("SELECT",)),
    "SYSTEM$STREAM_GET_TABLE_TIMESTAMP": ("STREAM", ("SELECT",)),
}
# Table functions that name an object: in which argument, and what they need of it.  VALIDATE's has no name.
_TABLE_FUNCTIONS = {
    "COPY_HISTORY": ("TABLE_NAME", "TABLE", ()),
    "VALIDATE": ("", "TABLE", ()),
    "VALIDATE_PIPE_LOAD": ("PIPE_NAME", "PIPE", ("MONITOR", "OPERATE")),
}
_METERS = ("LOCAL_METER", "PIPE_USAGE_HISTORY", "WAREHOUSE_METERING_HISTORY")
# What ALTER PIPE SETs without owning the pipe.
_OPERATED = {"PIPE_EXECUTION_PAUSED"}
# Kinds that only ACCOUNTADMIN creates.
_NO_CREATE_PRIVILEGE = ("RESOURCE MONITOR",)


def of_statement(context: Context, statement: Statement) -> Needs:
    """What ``statement`` needs in the session's current schema."""
    if not isinstance(statement, exp.Expr):
        return _of_ours(context, statement)
    match statement:
        case exp.Use():
            return _of_use(context, statement)
        case exp.Copy():
            return Needs(tuple(_of_copy(context, statement)), warehouse=True)
        case exp.Create():
            return _of_create(context, statement)
        case exp.Drop():
            needs = tuple(_need(on, OWNERSHIP) for on in _named(context, statement, statement.args.get("tables") or []))
            return Needs(needs, if_exists=bool(statement.args.get("exists")))
        case exp.Alter() | exp.Comment():
            return Needs(tuple(_of_alter(context, statement)))
        case exp.Describe() | exp.Show():
            return Needs(tuple(_of_describe(context, statement)))
        case exp.Insert() | exp.Update() | exp.Delete() | exp.Merge() | exp.TruncateTable():
            return Needs(tuple(_of_dml(context, statement)), warehouse=True)
    read = list(_of_reads(context, statement))
    return Needs(tuple(read), warehouse=isinstance(statement, exp.Query) and _reads_rows(statement))


def of_loading(context: Context, copy: exp.Copy) -> Needs:
    """What the owner of a pipe needs to run its COPY; Snowpipe needs no warehouse."""
    return Needs((*_of_copy(context, copy), *_of_select_target(context, copy)))


def _need(on: Securable, *any_of: str) -> Need:
    return Need(on, frozenset(any_of))


def _creation(kind: str, key: Sequence[str]) -> Need:
    """CREATE <kind> on the account, database or schema that will have the object."""
    if len(key) == 3:
        on = Securable("SCHEMA", tuple(key[:2]))
    else:
        on = Securable("DATABASE", (key[0],)) if len(key) == 2 else THE_ACCOUNT
    privilege = OWNERSHIP if kind in _NO_CREATE_PRIVILEGE else f"CREATE {kind}"
    return Need(on, frozenset({privilege}), of_primary_role=True)


# --- queries and DML --------------------------------------------------------------------------------------------------


def _of_reads(context: Context, expression: exp.Expr, *, but: Sequence[exp.Expr | None] = ()) -> Iterator[Need]:
    for on in reads.read_by(context, expression, but=but):
        if on.kind == "DATABASE":
            yield _need(on)
        else:
            yield _need(on, USAGE if on.kind == "SEQUENCE" else "SELECT")
    for call in expression.find_all(exp.Anonymous):
        name = str(call.this).upper()
        if name in _FUNCTIONS and call.expressions and isinstance(call.expressions[0], exp.Literal):
            kind, privileges = _FUNCTIONS[name]
            yield _need(Securable(kind, context.resolve_text(call.expressions[0].name)), *privileges)
        elif name in _TABLE_FUNCTIONS:
            argument, kind, privileges = _TABLE_FUNCTIONS[name]
            for named in _argument(call, argument):
                yield _need(Securable(kind, context.resolve_text(named)), *privileges)
        elif name in _METERS:
            yield _need(THE_ACCOUNT, "MONITOR USAGE")


def _argument(call: exp.Anonymous, name: str) -> Iterator[str]:
    """The object that an argument of a table function names: the first without a name where ``name`` is empty."""
    for each in call.expressions:
        if not isinstance(each, exp.Kwarg | exp.PropertyEQ):
            if not name:
                yield each.name if isinstance(each, exp.Literal) else each.sql()
                return
        elif each.this.name.upper() == name:
            yield each.expression.name


def _reads_rows(expression: exp.Query) -> bool:
    return expression.find(exp.Table, exp.TableFromRows) is not None


def _of_dml(context: Context, expression: exp.Expr) -> Iterator[Need]:
    into = expression.expressions[0] if isinstance(expression, exp.TruncateTable) else expression.this
    target = into.this if isinstance(into, exp.Schema) else into
    written = reads.relation(context, target) if isinstance(target, exp.Table) else None
    if written is not None:
        for privilege in _writing(expression):
            yield _need(written, privilege)
    yield from _of_reads(context, expression, but=[target])


def _writing(expression: exp.Expr) -> list[str]:
    """The privileges on its target that a DML needs."""
    match expression:
        case exp.Insert():
            return ["INSERT", "DELETE"] if expression.args.get("overwrite") else ["INSERT"]
        case exp.TruncateTable():
            return ["TRUNCATE"]
        case exp.Update():
            return ["UPDATE", "SELECT"]
        case exp.Delete():
            return ["DELETE", "SELECT"] if expression.args.get("where") else ["DELETE"]
    clauses = expression.find_all(exp.When)
    actions = {type(each.args["then"]) if each.args["then"].key != "var" else exp.Delete for each in clauses}
    names: dict[type[exp.Expr], str] = {exp.Insert: "INSERT", exp.Update: "UPDATE", exp.Delete: "DELETE"}
    return ["SELECT", *(name for action, name in names.items() if action in actions)]


def _of_copy(context: Context, expression: exp.Copy) -> Iterator[Need]:
    yield from _of_target(context, expression, "INSERT")
    for node in (node for file in expression.args["files"] for node in file.find_all(exp.Table)):
        stage = node.this.name.removeprefix("@").partition("/")[0]
        if isinstance(node.this, exp.Var) and stage and stage[0] not in "~%":
            yield _need(Securable("STAGE", context.resolve_text(stage)), USAGE, "READ")
    for parameter in expression.args.get("params") or []:
        for each in parameter.expressions:
            if isinstance(each, exp.Property) and each.this.name.upper() == "FORMAT_NAME":
                yield _format(context, each.args["value"].name or each.args["value"].sql())


def _of_select_target(context: Context, expression: exp.Copy) -> Iterator[Need]:
    yield from _of_target(context, expression, "SELECT")


def _of_target(context: Context, expression: exp.Copy, privilege: str) -> Iterator[Need]:
    into = expression.this.this if isinstance(expression.this, exp.Schema) else expression.this
    target = reads.relation(context, into) if isinstance(into, exp.Table) else None
    if target is not None:
        yield _need(target, privilege)


def _format(context: Context, name: str) -> Need:
    return _need(Securable("FILE FORMAT", context.resolve_text(name)), USAGE)


# --- DDL and USE, as sqlglot parses them ------------------------------------------------------------------------------


def _of_use(context: Context, expression: exp.Use) -> Needs:
    kind = expression.args["kind"].name.upper() if expression.args.get("kind") else ""
    parts = name_of(expression.this).parts
    if kind == "ROLE":
        return Needs()  # whether it is granted is checked by USE itself
    if kind == "WAREHOUSE":
        return Needs((_need(Securable("WAREHOUSE", parts)),))
    if kind == "DATABASE" or (not kind and len(parts) == 1):
        return Needs((_need(Securable("DATABASE", parts)),))
    key = parts if len(parts) == 2 else (context.database or "", parts[-1])
    return Needs((_need(Securable("SCHEMA", key)),))


def _of_create(context: Context, expression: exp.Create) -> Needs:
    kind, table = str(expression.args.get("kind")).upper(), named_table(expression)
    created = securable(context, kind, table, created=True)
    # A foreign key may refer to the table itself.
    itself = [
        node
        for reference in expression.find_all(exp.Reference)
        for node in reference.find_all(exp.Table)
        if created is not None and context.table_key(node) == created.key
    ]
    # CREATE DATABASE and SCHEMA ... CLONE name no table.
    needs = [] if kind in ("DATABASE", "SCHEMA") else list(_of_reads(context, expression, but=[table, *itself]))
    if created is not None:
        if expression.find(exp.TemporaryProperty):
            needs += [_need(each, USAGE) for each in created.containers]
        else:
            needs.append(_creation(kind, created.key))
            if expression.args.get("replace") and context.grants.is_recorded(created):
                needs.append(_need(created, OWNERSHIP))
    return Needs(tuple(needs), warehouse=isinstance(expression.expression, exp.Query) and kind == "TABLE")


def _of_alter(context: Context, expression: exp.Expr) -> Iterator[Need]:
    if expression.args.get("kind") == "SESSION":
        return
    for on in _named(context, expression, [expression.this]):
        yield _need(on, OWNERSHIP)
        if expression.find(exp.AlterRename):
            yield _creation(on.kind, on.key)


def _of_describe(context: Context, expression: exp.Expr) -> Iterator[Need]:
    named = expression.this if isinstance(expression, exp.Describe) else None
    for on in _named(context, expression, [named]) if isinstance(named, exp.Table) else ():
        yield _need(on)


def _named(context: Context, expression: exp.Expr, nodes: Sequence[exp.Expr]) -> Iterator[Securable]:
    """The objects that a DROP, ALTER, COMMENT or DESCRIBE names."""
    kind = str(expression.args.get("kind")).upper()
    for node in nodes:
        if isinstance(node, exp.Column):  # COMMENT ON COLUMN
            node, kind = exp.table_(*(node.args.get(part) for part in ("table", "db", "catalog"))), "TABLE"
        found = securable(context, kind, node) if isinstance(node, exp.Table) else None
        if found is not None:
            yield found


def securable(context: Context, kind: str, table: exp.Table, *, created: bool = False) -> Securable | None:
    """The object of ``kind`` that a DDL names; None where there is no current schema, and for a temporary table.

    Args:
        created: the DDL creates it, so that a temporary table of the name does not stand for it.
    """
    name = name_of(table)
    if kind in ("DATABASE", "WAREHOUSE", "ROLE", "USER"):
        return Securable(kind, (name.last,))
    if kind == "SCHEMA":
        database = name.parts[0] if len(name.parts) == 2 else context.database
        return Securable(kind, (database, name.last)) if database else None
    if not created and kind == "TABLE" and len(name.parts) == 1 and name.last.upper() in context.temporary_tables:
        return None
    key = context.table_key(table)
    if key is None:
        return None
    view = Securable("VIEW", key)
    if kind == "TABLE" and context.grants.is_recorded(view):
        return view
    return Securable(kind if kind in SCHEMA_OBJECTS else "TABLE", key)


# --- statements of our grammar ----------------------------------------------------------------------------------------


def _of_ours(context: Context, statement: grammar.Statement) -> Needs:
    match statement:
        case grammar.Create():
            return Needs(tuple(_of_our_create(context, statement)))
        case grammar.Alter():
            return Needs(tuple(_of_our_alter(context, statement)), if_exists=statement.if_exists)
        case grammar.Drop():
            return Needs((_need(our_securable(context, statement), OWNERSHIP),), if_exists=statement.if_exists)
        case grammar.Describe() if statement.kind != "USER":
            return Needs((_need(our_securable(context, statement)),))
        case policy_grammar.SetMasking():
            return Needs(tuple(_of_masking(context, statement)), if_exists=_may_miss(context, statement))
        case policy_grammar.SetBody():
            on = Securable("MASKING POLICY", context.resolve(statement.name))
            return Needs((_need(on, OWNERSHIP),), if_exists=statement.if_exists)
        case policy_grammar.SetTags():
            return Needs(tuple(_of_tags(context, statement)), if_exists=_may_miss(context, statement))
        case policy_grammar.SetSecure():
            on = Securable("VIEW", context.resolve(statement.name))
            return Needs((_need(on, OWNERSHIP),), if_exists=statement.if_exists)
        case grammar.Show() if statement.kind == "PARAMETER":
            return Needs(tuple(_of_parameters(context, statement)))
        case policy_grammar.SetAuthenticationPolicy():
            return Needs(tuple(_of_authentication_policy(context, statement)), if_exists=statement.if_exists)
    return Needs()


def our_securable(
    context: Context, statement: grammar.Create | grammar.Alter | grammar.Drop | grammar.Describe
) -> Securable:
    """The object that a statement of our grammar names."""
    kind = kind_of(statement.kind)
    if statement.kind == "ACCOUNT PARAMETERS":
        return THE_ACCOUNT
    in_schema = kind in SCHEMA_OBJECTS
    return Securable(kind, context.resolve(statement.name) if in_schema else (statement.name.last,))


def _of_our_create(context: Context, statement: grammar.Create) -> Iterator[Need]:
    on = our_securable(context, statement)
    yield _creation(on.kind, on.key)
    if statement.or_replace and context.grants.is_recorded(on):
        yield _need(on, OWNERSHIP)
    if statement.table is not None:
        yield _need(Securable("TABLE", context.resolve(statement.table)), "SELECT")
    if statement.body is not None:
        copy = parse(statement.body)
        if isinstance(copy, exp.Copy):
            yield from of_loading(context, copy).privileges
    yield from _of_resource_monitor(statement)
    if integration := statement.options.get("STORAGE_INTEGRATION"):
        yield _need(Securable("INTEGRATION", (str(integration).upper(),)), USAGE)
    yield from _of_error_integration(statement)
    file_format = statement.options.get("FILE_FORMAT")
    name = file_format.get("FORMAT_NAME") if isinstance(file_format, dict) else file_format
    if name:
        yield _format(context, str(name))


def _of_our_alter(context: Context, statement: grammar.Alter) -> Iterator[Need]:
    on = our_securable(context, statement)
    if statement.kind == "PIPE" and (statement.action == "REFRESH" or set(statement.options) <= _OPERATED):
        yield _need(on, "OPERATE")
    elif statement.kind == "WAREHOUSE":
        yield _need(on, "MODIFY" if statement.action in ("SET", "UNSET") else "OPERATE")
    else:
        yield _need(on, OWNERSHIP)
        yield from _of_error_integration(statement)
    yield from _of_resource_monitor(statement)


def _of_resource_monitor(statement: grammar.Create | grammar.Alter) -> Iterator[Need]:
    if statement.kind == "WAREHOUSE" and "RESOURCE_MONITOR" in statement.options:
        yield Need(THE_ACCOUNT, frozenset({OWNERSHIP}))  # ACCOUNTADMIN


def _of_error_integration(statement: grammar.Create | grammar.Alter) -> Iterator[Need]:
    if statement.kind == "PIPE" and (name := statement.options.get("ERROR_INTEGRATION")):
        yield _need(Securable("INTEGRATION", (str(name).upper(),)), USAGE)


def _of_parameters(context: Context, statement: grammar.Show) -> Iterator[Need]:
    """SHOW PARAMETERS IN a table or warehouse: any privilege on it."""
    if statement.scope == "TABLE" and statement.scope_name is not None:
        yield _need(Securable("TABLE", context.resolve(statement.scope_name)))
    elif statement.scope == "WAREHOUSE" and statement.scope_name is not None:
        yield _need(Securable("WAREHOUSE", (statement.scope_name.last,)))


# --- policies and tags ------------------------------------------------------------------------------------------------


def _of_masking(context: Context, statement: policy_grammar.SetMasking) -> Iterator[Need]:
    """APPLY MASKING POLICY on the account; or the table, and APPLY on each policy that is set or taken off."""
    on = _changed(context, statement)
    policies: list[Sequence[str]] = [context.resolve(policy) for _, policy in statement.columns if policy is not None]
    # Whoever takes a policy off must be allowed to set it.
    present = context.catalog.definition_of(context.duck, MASKED, context.resolve(statement.name))
    policies += [present[column] for column, _ in statement.columns if column in present]
    yield from _applied(context, "MASKING POLICY", on, policies)


def _of_tags(context: Context, statement: policy_grammar.SetTags) -> Iterator[Need]:
    tags = [context.resolve(tag) for tag, _ in statement.tags]
    yield from _applied(context, "TAG", _changed(context, statement), tags)


def _changed(context: Context, statement: policy_grammar.SetMasking | policy_grammar.SetTags) -> Securable:
    """What a policy or tag is set on."""
    in_schema = statement.kind in SCHEMA_OBJECTS
    if statement.kind == "SCHEMA" and len(statement.name.parts) == 1:
        return Securable("SCHEMA", (context.database or "", statement.name.last))
    return Securable(statement.kind, context.resolve(statement.name) if in_schema else statement.name.parts)


def _may_miss(context: Context, statement: policy_grammar.SetMasking | policy_grammar.SetTags) -> bool:
    """Whether IF EXISTS excuses what is missing: what is changed, never the policy or tag."""
    return statement.if_exists and not context.sees(_changed(context, statement))


def _of_authentication_policy(context: Context, statement: policy_grammar.SetAuthenticationPolicy) -> Iterator[Need]:
    policies = [] if statement.policy is None else [context.resolve(statement.policy)]
    yield from _applied(context, "AUTHENTICATION POLICY", Securable("USER", (statement.user,)), policies)


def _applied(context: Context, kind: str, on: Securable, policies: Sequence[Sequence[str]]) -> Iterator[Need]:
    for_all = {f"APPLY {kind}", OWNERSHIP} & context.held(THE_ACCOUNT)
    if not for_all:
        yield _need(on, OWNERSHIP)
    for policy in policies:
        applied = Securable(kind, tuple(policy))
        yield _need(applied) if for_all else _need(applied, "APPLY")
