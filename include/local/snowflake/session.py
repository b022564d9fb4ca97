"""One client's session: each statement goes to the module that knows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from sqlglot import exp

from . import (
    access,
    account,
    authorization,
    bulk_inserts,
    copy_into,
    ddl,
    describing,
    dml,
    engine,
    errors,
    functions,
    grammar,
    identifiers,
    listings,
    login_policies,
    masking,
    ownership,
    parameters,
    pipes,
    policies,
    policy_grammar,
    principals,
    stages,
    streams,
    tags,
    variables,
)
from .context import Context, Login
from .fakesnow_adapter import SELECT, statement_type_id
from .grant_grammar import GrantPrivileges, GrantRole, ShowGrants, UseSecondaryRoles
from .instance import Instance
from .names import name_of
from .privileges import Securable
from .queries import Query
from .results import Result
from .statements import Statement, parse

_DDL = (exp.Create, exp.Alter, exp.Drop, exp.Comment)
_DML = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.TruncateTable)


class Session:
    """A session runs one statement after another."""

    def __init__(self, instance: Instance, login: Login | None = None) -> None:
        self.context = Context(instance, login or Login())
        self.is_closed = False
        self._queries, self._sessions = instance.queries, instance.sessions
        self._sessions[self.context.identifier] = self.context.user, self.close

    def query(
        self,
        text: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        asynchronous: bool = False,
        request: str | None = None,
    ) -> Query:
        """Note a statement that arrived, before ``execute`` runs it: from now on it can be found and cancelled.

        Raises:
            SnowflakeError: its parameters are wrong.
        """
        query = Query(text, self.context.sender(parameters or {}), asynchronous=asynchronous, request=request)
        self._queries.begin(query)
        return query

    def execute(self, sql: str, binds: Sequence[Any] | None = None, *, query: Query | None = None) -> Result:
        """Run one statement.

        Raises:
            SnowflakeError: it failed; an explicit transaction is then rolled back as a whole.
        """
        return self._run(query or self.query(sql), lambda context: _execute(context, sql, binds))

    def execute_many(self, sql: str, rows: Sequence[Sequence[Any]], *, query: Query | None = None) -> Result:
        """Run one DML for each row of an array binding, all or nothing; the result is the sum of affected rows."""

        def run(context: Context) -> Result:
            with context.atomic():
                if (inserted := _insert_rows(context, sql, rows)) is not None:
                    return inserted
                results = [_execute(context, sql, row) for row in rows]
            total = sum(result.table.column(0)[0].as_py() for result in results)
            return Result.of([results[0].types[0][0]], [[total]], results[0].statement_type)

        return self._run(query or self.query(sql), run)

    def _run(self, query: Query, run: Callable[[Context], Result]) -> Result:
        """Run what ``query`` stands for, on a connection of its own if it is asynchronous; note how it ends."""
        try:
            with _connection(self.context, query) as context:
                result = replace(_executed(context, query, run), query_id=query.id)
        except Exception as error:
            failure = query.failure(error)
            self._queries.end(query, error=failure)
            raise failure from error
        self._queries.end(query, result)
        return result

    def describe(self, sql: str, *, query: Query | None = None) -> Result:
        """Return the columns of a query, without rows; other statements have a status."""
        return self._run(query or self.query(sql), lambda context: _describe(context, sql))

    def close(self) -> None:
        """End the session: cancel its statements, but for asynchronous ones, and roll an open transaction back."""
        if self.is_closed:
            return
        self.is_closed = True
        self._sessions.pop(self.context.identifier, None)
        for query in self._queries.running(self.context.identifier):
            if not query.asynchronous:
                query.cancel(errors.canceled())
        self.context.close()


def _describe(context: Context, sql: str) -> Result:
    text, _ = identifiers.resolve(context.variables.inline(sql), None)
    expression = parse(text)
    if not isinstance(expression, exp.Query):
        return describing.without_rows(context, text, expression, lambda: _execute(context, text, None))
    expression = expression.copy()
    for placeholder in list(expression.find_all(exp.Placeholder)):
        placeholder.replace(exp.null())
    wrapped = exp.select("*").from_(expression.subquery("DESCRIBED")).limit(0)
    return _execute(context, wrapped.sql("snowflake"), None)


@contextmanager
def _connection(context: Context, query: Query) -> Iterator[Context]:
    """The session's own connection, or one for ``query`` alone."""
    if not query.asynchronous:
        yield context
        return
    detached = context.detached()
    try:
        yield detached
    finally:
        detached.close()


def _executed(context: Context, query: Query, run: Callable[[Context], Result]) -> Result:
    with context.transaction.busy(query):
        try:
            with query.interruptible(context.duck.interrupt):
                context.begin_statement(query)
                return run(context)
        except Exception:
            context.transaction.fail()
            raise


# --- statements that sqlglot parses -----------------------------------------------------------------------------------


def _execute(context: Context, sql: str, binds: Sequence[Any] | None) -> Result:
    sql, binds = identifiers.resolve(context.variables.inline(sql), binds)
    statement = parse(sql)
    if isinstance(statement, exp.Transaction | exp.Commit | exp.Rollback):
        return context.transaction.control(statement)
    if context.transaction.failed:
        raise errors.SnowflakeError(
            "A statement of this transaction failed and it was rolled back: send ROLLBACK to go on.", 90232, "25000"
        )
    return authorization.run(context, sql, statement, lambda: _execute_allowed(context, sql, statement, binds))


def _insert_rows(context: Context, sql: str, rows: Sequence[Sequence[Any]]) -> Result | None:
    """Insert bound rows together; None where they can't be."""
    sql = context.variables.inline(sql)
    statement = parse(sql)
    bulk = bulk_inserts.of(statement, rows)
    if bulk is None or context.transaction.failed:
        return None
    insert, table = bulk
    return authorization.run(
        context, sql, statement, lambda: dml.write_rows(context, functions.substitute(context, insert), table)
    )


def _execute_allowed(context: Context, sql: str, statement: Statement, binds: Sequence[Any] | None) -> Result:
    if isinstance(statement, exp.Expr):
        return _execute_expression(context, sql, statement, list(binds) if binds else None)
    if isinstance(statement, grammar.Show | grammar.Describe | ShowGrants | UseSecondaryRoles):
        return _handle(context, statement)
    # It ends an open transaction, as in Snowflake, and is one of its own.
    context.transaction.commit()
    result = _handle(context, statement)
    context.transaction.commit()
    return result


def _execute_expression(context: Context, sql: str, expression: exp.Expr, binds: list[Any] | None) -> Result:
    sql, expression = masking.applied(context, sql, expression)
    match expression:
        case exp.Copy():
            return copy_into.run(context, expression.copy())
        case exp.Use():
            return _use(context, expression)
        case exp.Alter() if expression.args.get("kind") == "SESSION":
            return parameters.alter_session(context, expression)
        case exp.Merge():
            return dml.run_merge(context, sql, expression, binds)
        case _ if variables.changes(expression):
            return context.variables.run(expression, lambda value: _value(context, value))
        case _ if expression.find(exp.HistoricalData):
            raise errors.unsupported("time travel (AT, BEFORE, CLONE of the past)")
        case exp.Command() | exp.Put() | exp.Get():
            raise _unsupported(expression)
        case exp.Describe() if not isinstance(expression.this, exp.Table):
            raise _unsupported(expression)
    if isinstance(expression, exp.Query):
        if (scanned := _scanned_query(expression)) is not None:
            return _result_of(context, scanned)
        return dml.query(context, sql, expression, binds)
    expression = functions.substitute(context, expression.copy())
    if isinstance(expression, exp.Show | exp.Describe):
        return listings.run(context, expression)
    if isinstance(expression, _DML):
        return dml.write(context, expression, binds)
    if isinstance(expression, _DDL):
        # It ends an open transaction, as in Snowflake, and is one of its own.
        context.transaction.commit()
        if isinstance(expression, exp.Create):
            result = ddl.create(context, expression, binds)
        else:
            result = ddl.define(context, expression)
        context.transaction.commit()
        return result
    raise _unsupported(expression)


def _unsupported(expression: exp.Expr) -> errors.SnowflakeError:
    return errors.unsupported(f"the statement {expression.sql('snowflake')[:60]!r}")


def _value(context: Context, expression: exp.Expr) -> exp.Expr:
    """The value of an expression of SET, as a literal."""
    found = _execute(context, exp.select(expression.copy()).sql("snowflake"), None).table
    return exp.convert(found.column(0)[0].as_py() if found.num_rows else None)


def _scanned_query(expression: exp.Query) -> str | None:
    """The query id of SELECT * FROM TABLE(RESULT_SCAN('id')); None for any other query."""
    source = expression.find(exp.TableFromRows)
    call = source.this if source else None
    if not isinstance(call, exp.Anonymous) or str(call.this).upper() != "RESULT_SCAN":
        return None
    identifier = call.expressions[0] if call.expressions else None
    plain = exp.select("*").from_(source) if source else None
    return str(identifier.name) if isinstance(identifier, exp.Literal) and expression == plain else None


def _result_of(context: Context, identifier: str) -> Result:
    query = context.instance.queries.find(identifier)
    if query is None or query.sender.user != context.user:  # not even ACCOUNTADMIN sees the result of another user
        raise errors.SnowflakeError(f"Statement {identifier} not found", 709, "02000")
    if query.result is None:
        raise errors.unsupported("RESULT_SCAN of a statement that was not sent asynchronously, or ended long ago")
    return replace(query.result, statement_type=SELECT)


def _use(context: Context, expression: exp.Use) -> Result:
    kind = expression.args["kind"].name.upper() if expression.args.get("kind") else ""
    parts = name_of(expression.this).parts
    if kind == "WAREHOUSE":
        if not ownership.exists(context, Securable("WAREHOUSE", (parts[-1],))):
            raise errors.cannot_be_used()
        context.use_warehouse(parts[-1])
    elif kind == "ROLE":
        access.use_role(context, parts[-1])
    elif kind == "DATABASE" or (not kind and len(parts) == 1):
        _use_database(context, parts[0])
    else:
        database = parts[0] if len(parts) == 2 else context.database
        if not database or not context.catalog.has_database(database):
            raise errors.does_not_exist("Database", str(database))
        if not engine.has_schema(context.duck, database, parts[-1]):
            raise errors.does_not_exist("Schema", f"{database}.{parts[-1]}")
        context.translator.use(database, parts[-1])
    return Result.status("Statement executed successfully.", statement_type_id(expression))


def _use_database(context: Context, database: str) -> None:
    """Make ``database`` current, and its schema PUBLIC if there is one."""
    if not context.catalog.has_database(database):
        raise errors.does_not_exist("Database", database)
    context.translator.use(database, "PUBLIC" if engine.has_schema(context.duck, database, "PUBLIC") else None)


# --- statements of our grammar ----------------------------------------------------------------------------------------


def _handle(context: Context, statement: grammar.Statement) -> Result:
    match statement:
        case GrantPrivileges():
            return access.grant(context, statement)
        case GrantRole():
            return access.grant_role(context, statement)
        case ShowGrants():
            return access.show_grants(context, statement)
        case UseSecondaryRoles():
            return access.use_secondary_roles(context, statement)
        case (
            policy_grammar.SetMasking()
            | policy_grammar.SetBody()
            | policy_grammar.SetTags()
            | policy_grammar.SetSecure()
            | policy_grammar.SetAuthenticationPolicy()
        ):
            return policies.run(context, statement)
    is_plain = statement.kind in grammar.ACCOUNT_KINDS and statement.kind not in ("ROLE", "USER")
    kind = "ACCOUNT" if is_plain else statement.kind
    match statement:
        case grammar.Create() if kind in _CREATE:
            return _CREATE[kind](context, statement)
        case grammar.Alter() if kind in _ALTER:
            return _ALTER[kind](context, statement)
        case grammar.Drop() if kind in _DROP:
            return _DROP[kind](context, statement)
        case grammar.Describe() if kind in _DESCRIBE:
            return _DESCRIBE[kind](context, statement)
        case grammar.Show() if kind in _SHOW:
            return _SHOW[kind](context, statement)
    raise errors.unsupported(f"{type(statement).__name__.upper()} {statement.kind}")


_CREATE: dict[str, Callable[[Context, grammar.Create], Result]] = {
    "ACCOUNT": account.create,
    "AUTHENTICATION POLICY": login_policies.create,
    "MASKING POLICY": masking.create,
    "TAG": tags.create,
    "FILE FORMAT": stages.create_file_format,
    "PIPE": pipes.create,
    "STAGE": stages.create_stage,
    "ROLE": principals.create_role,
    "STREAM": streams.create,
    "USER": principals.create_user,
}
_ALTER: dict[str, Callable[[Context, grammar.Alter], Result]] = {
    "ACCOUNT": account.alter,
    "ACCOUNT PARAMETERS": parameters.alter_account,
    "PIPE": pipes.alter,
    "ROLE": principals.alter_role,
    "STREAM": streams.alter,
    "TABLE": ddl.alter_parameters,
    "USER": principals.alter_user,
}
_DROP: dict[str, Callable[[Context, grammar.Drop], Result]] = {
    "ACCOUNT": account.drop,
    "AUTHENTICATION POLICY": login_policies.drop,
    "MASKING POLICY": masking.drop,
    "TAG": tags.drop,
    "FILE FORMAT": stages.drop,
    "PIPE": pipes.drop,
    "STAGE": stages.drop,
    "ROLE": principals.drop_role,
    "STREAM": streams.drop,
    "USER": principals.drop_user,
}
_DESCRIBE: dict[str, Callable[[Context, grammar.Describe], Result]] = {
    "ACCOUNT": account.describe,
    "AUTHENTICATION POLICY": login_policies.describe,
    "MASKING POLICY": masking.describe,
    "FILE FORMAT": stages.describe,
    "PIPE": pipes.describe,
    "STAGE": stages.describe,
    "STREAM": streams.describe,
    "USER": principals.describe_user,
}
_SHOW: dict[str, Callable[[Context, grammar.Show], Result]] = {
    "ACCOUNT": account.show,
    "AUTHENTICATION POLICY": login_policies.show,
    "MASKING POLICY": masking.show,
    "TAG": tags.show,
    "FILE FORMAT": stages.show,
    "PARAMETER": parameters.show,
    "PIPE": pipes.show,
    "STAGE": stages.show,
    "ROLE": principals.show_roles,
    "STREAM": streams.show,
    "USER": principals.show_users,
}
