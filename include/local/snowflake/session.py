"""One login: its context, and each statement sent to the module that knows it."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import duckdb
from fakesnow.statement_type import SELECT, statement_type_id
from sqlglot import exp

from . import (
    account,
    copy_into,
    ddl,
    errors,
    functions,
    grammar,
    merge,
    parameters,
    pipes,
    stages,
    streams,
)
from .fakesnow_adapter import Translator, result_types
from .grammar import Name
from .results import Result
from .statements import parse
from .transaction import Transaction
from .translations import Translation

if TYPE_CHECKING:
    from .instance import Instance

_DDL = (exp.Create, exp.Alter, exp.Drop, exp.Comment)
_DML = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.TruncateTable)
_identifiers = itertools.count(1)


class Session:
    """One client's session; statements of one session run one after another."""

    def __init__(
        self,
        instance: Instance,
        *,
        database: str | None = None,
        schema: str | None = None,
        warehouse: str | None = None,
        role: str | None = None,
        user: str = "PIPELINE",
        autocommit: bool = True,
        time_zone: str | None = None,
    ) -> None:
        self.instance = instance
        self.identifier = next(_identifiers)
        self.warehouse, self.role, self.user = warehouse, role or "SYSADMIN", user
        self.translator = Translator(instance.connect(database, schema))
        self.transaction = Transaction(self, autocommit=autocommit)
        self.set_time_zone(time_zone or parameters.account_time_zone(instance, self.duck))
        self.last_used = time.monotonic()
        self.query_id = ""  # of the statement that runs
        self.last_copy: str | None = None  # query id of the last COPY
        self._running = threading.Lock()

    # --- context ---------------------------------------------------------------------------------------------------

    @property
    def duck(self) -> duckdb.DuckDBPyConnection:
        return self.translator.duck

    @property
    def database(self) -> str | None:
        return self.translator.database

    @property
    def schema(self) -> str | None:
        return self.translator.schema

    def set_time_zone(self, name: str) -> None:
        parameters.set_time_zone(self.duck, name)
        self.time_zone = name

    def resolve(self, name: Name) -> tuple[str, str, str]:
        """A schema object's full key.

        Raises:
            SnowflakeError: 90105 or 90106, the name needs a current database or schema and there is none.
        """
        parts = name.parts
        database = parts[0] if len(parts) == 3 else self.database
        schema = parts[-2] if len(parts) >= 2 else self.schema
        if not database:
            raise errors.SnowflakeError(
                f"Cannot resolve '{name}'. This session does not have a current database. Call 'USE DATABASE', or use a"
                " qualified name.", 90105, "22000",
            )  # fmt: skip
        if not schema:
            raise errors.SnowflakeError(
                f"Cannot resolve '{name}'. This session does not have a current schema. Call 'USE SCHEMA', or use a"
                " qualified name.", 90106, "22000",
            )  # fmt: skip
        return database, schema, parts[-1]

    def resolve_text(self, text: str) -> tuple[str, str, str]:
        """As ``resolve``, for a name given in a string, like a system function's argument."""
        parts = tuple(part.strip('"') if part.startswith('"') else part.upper() for part in text.split("."))
        if not 1 <= len(parts) <= 3 or not all(parts):
            raise errors.compilation_error(f"invalid identifier '{text}'", 904)
        return self.resolve(Name(parts))

    def table_key(self, table: exp.Table) -> tuple[str, str, str] | None:
        """The full key of a table node; None where it needs a context that the session has not."""
        parts = [part.name if part.args.get("quoted") else part.name.upper() for part in table.parts]
        database = parts[0] if len(parts) == 3 else self.database
        schema = parts[-2] if len(parts) >= 2 else self.schema
        return (database, schema, parts[-1]) if database and schema else None

    # --- statements ------------------------------------------------------------------------------------------------

    def execute(self, sql: str, binds: Sequence[Any] | None = None) -> Result:
        """Run one statement.

        Raises:
            SnowflakeError: it failed; in an explicit transaction that is then rolled back as a whole.
        """
        with self._running:
            self.last_used = time.monotonic()
            self.query_id = str(uuid.uuid4())
            try:
                result = self._execute(sql, binds)
                result.query_id = self.query_id
                return result
            except Exception as error:
                self.transaction.fail()
                raise errors.as_snowflake_error(error, sql) from error
            finally:
                self.last_used = time.monotonic()

    def execute_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> Result:
        """Run one DML for each row of an array binding, all or nothing; the rows affected are summed up."""
        with self._running:
            self.last_used = time.monotonic()
            try:
                with self.atomic():
                    results = [self._execute(sql, row) for row in rows]
            except Exception as error:
                self.transaction.fail()
                raise errors.as_snowflake_error(error) from error
            total = sum(result.table.column(0)[0].as_py() for result in results)
            return Result.of([results[0].types[0][0]], [[total]], results[0].statement_type)

    def describe(self, sql: str) -> Result:
        """The columns that a query would have; other statements have a status."""
        expression = parse(self.translator.inline_variables(sql))
        if not isinstance(expression, exp.Query):
            return Result.status("", 0)
        expression = expression.copy()
        for placeholder in list(expression.find_all(exp.Placeholder)):
            placeholder.replace(exp.null())
        wrapped = exp.select("*").from_(expression.subquery("DESCRIBED")).limit(0)
        return self.execute(wrapped.sql("snowflake"))

    def _execute(self, sql: str, binds: Sequence[Any] | None) -> Result:
        self._adopt_context()
        sql = self.translator.inline_variables(sql)
        statement = parse(sql)
        if isinstance(statement, exp.Transaction | exp.Commit | exp.Rollback):
            return self.transaction.control(statement)
        if self.transaction.failed:
            raise errors.SnowflakeError(
                "A statement of this transaction failed and it was rolled back: send ROLLBACK to go on.", 90232, "25000"
            )
        if not isinstance(statement, exp.Expr):
            if not isinstance(statement, grammar.Show | grammar.Describe):
                self.transaction.commit()
            result = _HANDLERS[_handler_key(statement)](self, statement)
            if not isinstance(statement, grammar.Show | grammar.Describe):
                self.transaction.commit()
            return result
        return self._execute_expression(sql, statement, list(binds) if binds else None)

    def _execute_expression(self, sql: str, expression: exp.Expr, binds: list[Any] | None) -> Result:
        match expression:
            case exp.Copy():
                return copy_into.run(self, expression.copy())
            case exp.Use():
                return self._use(expression)
            case exp.Alter() if expression.args.get("kind") == "SESSION":
                return parameters.alter_session(self, expression)
            case exp.Merge():
                return self._merge(sql, expression, binds)
            case _ if expression.find(exp.HistoricalData):
                raise errors.unsupported("time travel (AT, BEFORE, CLONE of the past)")
            case exp.Command() | exp.Put() | exp.Get():
                raise errors.unsupported(f"the statement {expression.sql('snowflake')[:60]!r}")
        if isinstance(expression, exp.Query):
            return self._query(sql, expression, binds)
        expression = functions.substitute(self, expression.copy())
        if isinstance(expression, _DML):
            return self.write(expression, binds)
        if isinstance(expression, _DDL):
            # It ends an open transaction, as in Snowflake, and is one of its own.
            self.transaction.commit()
            if isinstance(expression, exp.Create):
                return ddl.create(self, expression, binds)
            return ddl.define(self, expression)
        return self.run(expression, binds)

    def run(self, expression: exp.Expr, binds: list[Any] | None = None) -> Result:
        """Run a statement that is no query as it is, its streams and functions replaced already."""
        statement_type = statement_type_id(expression)
        self.translator.check_names(expression)
        table, description = self.translator.run(expression, binds)
        self.transaction.write_notes()
        return Result(table, result_types(description), statement_type)

    def write(self, expression: exp.Expr, binds: list[Any] | None) -> Result:
        """A DML (or CREATE TABLE AS): with the streams it reads moved on, in one transaction."""
        overwrite = isinstance(expression, exp.Insert) and bool(expression.args.get("overwrite"))
        deletes = overwrite or isinstance(expression, exp.Update | exp.Delete | exp.TruncateTable)
        reads_stream = bool(streams.read_by(self, expression))
        with self.atomic(writes=deletes or reads_stream):
            read = self._streams_of(expression)
            streams.substitute(self, expression, read)
            streams.bind(self.duck, read)
            target = self._target_of(expression) if deletes else None
            tracking = streams.before_delete(self, target) if target else []
            result = self.run(expression, binds)
            streams.after_delete(self, tracking)
            self.transaction.consume(read)
        return result

    def _query(self, sql: str, expression: exp.Query, binds: list[Any] | None) -> Result:
        read = streams.read_by(self, expression)
        translated = self._translated(
            sql, expression, read, lambda fresh: self.translator.translate(fresh, binds), keep=not binds
        )
        streams.bind(self.duck, read)
        table, description = self.translator.execute(translated, binds)
        return Result(table, result_types(description), SELECT)

    def _translated(
        self,
        sql: str,
        expression: exp.Expr,
        read: list[streams.Stream],
        translate: Callable[[exp.Expr], Translation],
        *,
        keep: bool = True,
    ) -> Translation:
        """What ``translate`` makes of the statement, its functions and streams replaced; or made of it the last time.

        Args:
            keep: False where values are bound, which can be part of the translation (IDENTIFIER(?)).
        """

        def now() -> Translation:
            fresh = functions.substitute(self, expression.copy())
            self.translator.check_names(fresh)
            streams.substitute(self, fresh, read)
            return translate(fresh)

        state = tuple((stream.found.uid, stream.has_backlog) for stream in read)
        return self.instance.translations.get(
            self, (sql, state), now, keep=lambda: keep and not functions.tells_of_the_moment(expression)
        )

    def _merge(self, sql: str, expression: exp.Merge, binds: list[Any] | None) -> Result:
        if binds:
            raise errors.unsupported("bind variables (?) in MERGE")
        with self.atomic(writes=True):
            read = self._streams_of(expression)
            compiled = self._translated(sql, expression, read, lambda fresh: merge.compile_merge(self, fresh))
            streams.bind(self.duck, read)
            target = self.table_key(expression.this)
            tracking = streams.before_delete(self, target) if target else []
            result = merge.run(self, compiled)
            streams.after_delete(self, tracking)
            self.transaction.consume(read)
        return result

    def _use(self, expression: exp.Use) -> Result:
        kind = expression.args["kind"].name.upper() if expression.args.get("kind") else ""
        name = expression.this.name if expression.this.this.args.get("quoted") else expression.this.name.upper()
        if kind == "WAREHOUSE":
            self.warehouse = name
        elif kind == "ROLE":
            self.role = name
        else:
            parts = [part.name if part.args.get("quoted") else part.name.upper() for part in expression.this.parts]
            if kind == "DATABASE" or (not kind and len(parts) == 1):
                database, schema = parts[0], "PUBLIC"
            else:
                database, schema = (parts[0] if len(parts) == 2 else self.database), parts[-1]
            if not database or not self.instance.has_database(database):
                raise errors.does_not_exist("Database", str(database))
            if not self.instance.has_schema(self.duck, database, schema):
                if kind != "DATABASE":
                    raise errors.does_not_exist("Schema", f"{database}.{schema}")
                schema = None
            self.translator.use(database, schema)
        return Result.status("Statement executed successfully.", statement_type_id(expression))

    # --- transactions ----------------------------------------------------------------------------------------------

    @property
    def autocommit(self) -> bool:
        return self.transaction.autocommit

    def set_autocommit(self, on: bool) -> None:
        """Change it; an open transaction is committed."""
        self.transaction.commit()
        self.transaction.autocommit = on

    def atomic(self, *, writes: bool = False) -> AbstractContextManager[None]:
        """As ``Transaction.atomic``."""
        return self.transaction.atomic(writes=writes)

    def abandon_if_idle(self, seconds: float) -> bool:
        """Roll the open transaction back if no statement runs and none came for so long."""
        if time.monotonic() - self.last_used < seconds or not self._running.acquire(blocking=False):
            return False
        try:
            self.transaction.give_way()
        finally:
            self._running.release()
        return True

    def close(self) -> None:
        """End the session; an open transaction is rolled back."""
        with self._running:
            self.transaction.rollback()
            self.translator.close()

    def _streams_of(self, expression: exp.Expr) -> list[streams.Stream]:
        return self.transaction.read(streams.read_by(self, expression))

    def _target_of(self, expression: exp.Expr) -> tuple[str, str, str] | None:
        table = expression.expressions[0] if isinstance(expression, exp.TruncateTable) else expression.this
        table = table.this if isinstance(table, exp.Schema) else table
        return self.table_key(table) if isinstance(table, exp.Table) else None

    def _adopt_context(self) -> None:
        """A database and schema named at login, as soon as they exist."""
        connection = self.translator.connection
        named = self.database and self.schema and not connection.schema_set
        if named and self.instance.has_schema(self.duck, self.database, self.schema):
            self.translator.use(self.database, self.schema)


def _handler_key(statement: grammar.Statement) -> tuple[type, str]:
    if isinstance(statement, grammar.NoOp):
        return grammar.NoOp, ""
    return type(statement), "ACCOUNT" if statement.kind in grammar.ACCOUNT_KINDS else statement.kind


def _alter_table(session: Session, statement: grammar.Alter) -> Result:
    """SET | UNSET of a table's parameters."""
    with session.atomic(writes=True):
        streams.settle(session, session.resolve(statement.name))
        return parameters.alter_table(session, statement)


def _no_op(session: Session, statement: grammar.NoOp) -> Result:
    return Result.status("Statement executed successfully.")


def _refuse(session: Session, statement: Any) -> Result:
    raise errors.unsupported(f"{type(statement).__name__.upper()} {statement.kind}")


_HANDLERS: dict[tuple[type, str], Callable[[Session, Any], Result]] = {
    (grammar.NoOp, ""): _no_op,
    (grammar.Create, "ACCOUNT"): account.create,
    (grammar.Alter, "ACCOUNT"): account.alter,
    (grammar.Drop, "ACCOUNT"): account.drop,
    (grammar.Describe, "ACCOUNT"): account.describe,
    (grammar.Show, "ACCOUNT"): account.show,
    (grammar.Alter, "ACCOUNT PARAMETERS"): parameters.alter_account,
    (grammar.Alter, "TABLE"): _alter_table,
    (grammar.Show, "PARAMETER"): parameters.show,
    (grammar.Create, "STAGE"): stages.create_stage,
    (grammar.Alter, "STAGE"): _refuse,
    (grammar.Drop, "STAGE"): stages.drop,
    (grammar.Describe, "STAGE"): stages.describe,
    (grammar.Show, "STAGE"): stages.show,
    (grammar.Create, "FILE FORMAT"): stages.create_file_format,
    (grammar.Alter, "FILE FORMAT"): _refuse,
    (grammar.Drop, "FILE FORMAT"): stages.drop,
    (grammar.Describe, "FILE FORMAT"): stages.describe,
    (grammar.Show, "FILE FORMAT"): stages.show,
    (grammar.Create, "PIPE"): pipes.create,
    (grammar.Alter, "PIPE"): pipes.alter,
    (grammar.Drop, "PIPE"): pipes.drop,
    (grammar.Describe, "PIPE"): pipes.describe,
    (grammar.Show, "PIPE"): pipes.show,
    (grammar.Create, "STREAM"): streams.create,
    (grammar.Alter, "STREAM"): streams.alter,
    (grammar.Drop, "STREAM"): streams.drop,
    (grammar.Describe, "STREAM"): streams.describe,
    (grammar.Show, "STREAM"): streams.show,
}
