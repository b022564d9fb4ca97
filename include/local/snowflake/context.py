"""A session's context: everything that a statement has at hand."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Hashable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from . import engine, errors, parameter_values
from .catalog import CatalogObject
from .grammar import Drop, Show
from .instance import Instance
from .names import Key, Name, name_in, name_of
from .new_account import WAREHOUSE, Administrator
from .privileges import ACCOUNTADMIN, OWNERSHIP, THE_ACCOUNT, Securable, kind_of
from .queries import Query, Sender
from .results import Result
from .transaction import Transaction
from .variables import Variables

# ("ALL",), ("NONE",), or the roles themselves
SecondaryRoles = tuple[str, ...]

_identifiers = itertools.count(1)
# As many statements of a session are known to LAST_QUERY_ID.
_REMEMBERED = 100


@dataclass(frozen=True)
class Login:
    """Who is logged in, and the session's options.  By default this is the administrator of a new account."""

    database: str | None = None
    schema: str | None = None
    warehouse: str | None = WAREHOUSE
    role: str = ACCOUNTADMIN
    secondary_roles: SecondaryRoles = ("NONE",)
    user: str = Administrator.name
    autocommit: bool = True
    time_zone: str | None = None
    query_tag: str = ""
    statement_timeout: int | None = None  # seconds


class Context:
    """The connection, the catalog, the names and the transaction of one session."""

    def __init__(self, instance: Instance, login: Login, *, of_session: int | None = None) -> None:
        self.instance, self.catalog, self.grants = instance, instance.catalog, instance.grants
        self.identifier = of_session or next(_identifiers)
        self.warehouse, self.role, self.user = login.warehouse, login.role, login.user
        self.secondary_roles = login.secondary_roles
        self.temporary_tables: frozenset[str] = frozenset()
        self.translator = instance.translator(login.database, login.schema)
        self.duck = self.translator.duck
        self.transaction = Transaction(self.translator, instance.writers, autocommit=login.autocommit)
        self.time_zone = login.time_zone or parameter_values.account_time_zone(self.catalog, self.duck)
        parameter_values.set_time_zone(self.duck, self.time_zone)
        self.query_tag, self.statement_timeout = login.query_tag, login.statement_timeout
        self.query: Query | None = None  # the statement that runs
        self._earlier: deque[str] = deque(maxlen=_REMEMBERED)  # query ids of those before it
        self.variables = Variables()
        self.last_copy: str | None = None  # query id of the last COPY

    def close(self) -> None:
        """End the session; an open transaction is rolled back."""
        with self.transaction.busy():
            self.transaction.rollback()
            self.translator.close()

    @property
    def query_id(self) -> str:
        return self.query.id if self.query else ""

    def earlier_query(self, number: int) -> str | None:
        """The query id of an earlier statement: -1 is the last one.

        Raises:
            SnowflakeError: it is counted from the session's first statement.
        """
        if number > 0:
            raise errors.unsupported("LAST_QUERY_ID of a number from 1 on")
        return self._earlier[number] if -number <= len(self._earlier) else None

    def sender(self, parameters: Mapping[str, Any]) -> Sender:
        """Who sends the next statement, with its own ``parameters`` before those of the session."""
        parameter_values.check_known(parameters, parameter_values.OF_STATEMENT)
        tag, timeout = parameters.get("QUERY_TAG"), parameters.get(parameter_values.STATEMENT_TIMEOUT)
        seconds = parameter_values.statement_timeout(
            self.catalog,
            self.statement_timeout if timeout is None else parameter_values.timeout_seconds(timeout),
            self.user,
            self.warehouse,
        )
        text = self.query_tag if tag is None else str(tag)
        return Sender(self.identifier, self.user, self.role, self.warehouse, text, seconds)

    def detached(self) -> Context:
        """A second connection of the session, for a statement that runs beside the others."""
        login = Login(
            self.database, self.schema, self.warehouse, self.role, self.secondary_roles, self.user,
            time_zone=self.time_zone, query_tag=self.query_tag, statement_timeout=self.statement_timeout,
        )  # fmt: skip
        beside = Context(self.instance, login, of_session=self.identifier)
        beside.variables = self.variables.copy()
        return beside

    # --- roles -------------------------------------------------------------------------------------------------------

    @property
    def primary_roles(self) -> frozenset[str]:
        """The primary role with those that it inherits: they may create objects."""
        return self.grants.with_inherited([self.role])

    @property
    def active_roles(self) -> frozenset[str]:
        """All roles whose privileges count: the primary and the secondary ones, with those that they inherit."""
        match self.secondary_roles:
            case ("NONE",):
                return self.primary_roles
            case ("ALL",):
                return self.primary_roles | self.grants.roles_of_user(self.user)
        return self.grants.with_inherited([self.role, *self.secondary_roles])

    def held(self, on: Securable) -> frozenset[str]:
        """The privileges of the active roles on an object; they see it if they have any."""
        return self.grants.held(self.active_roles, on)

    def sees(self, on: Securable) -> bool:
        """Whether the session may see an object: it has a privilege on it, and on what it is in."""
        return all(self.held(each) for each in (*on.containers, on))

    def may_see(self, query: Query) -> bool:
        """Whether the history shows a statement to the session: one's own, or on a warehouse that its roles watch."""
        return query.sender.user == self.user or self._holds_on_warehouse(query, "MONITOR", "OPERATE")

    def may_stop(self, query: Query) -> bool:
        """Whether the session may cancel a statement: one's own, or on a warehouse that its roles operate."""
        return self.may_end(query.sender.user) or self._holds_on_warehouse(query, "OPERATE")

    def may_end(self, user: str) -> bool:
        """Whether the session may end those of ``user``: its own, or one that its roles own."""
        return user == self.user or OWNERSHIP in self.held(Securable("USER", (user,))) | self.held(THE_ACCOUNT)

    def _holds_on_warehouse(self, query: Query, *privileges: str) -> bool:
        name = query.sender.warehouse
        held = self.held(Securable("WAREHOUSE", (name,))) if name else frozenset[str]()
        return bool({OWNERSHIP, *privileges} & held) or OWNERSHIP in self.held(THE_ACCOUNT)

    # --- objects of the catalog ---------------------------------------------------------------------------------------

    def drop(self, statement: Drop, association: Callable[[Key], str | None] = lambda _: None) -> Result:
        """DROP of what only the catalog has.  ``association`` says what a policy is set on, which keeps it.

        Raises:
            SnowflakeError: it does not exist, or it is associated with something.
        """
        key = self.resolve(statement.name)
        if self.catalog.find(self.duck, statement.kind, key) is None:
            if statement.if_exists:
                return Result.status("Drop statement executed successfully.")
            raise errors.does_not_exist(statement.kind, str(statement.name))
        name = statement.name.last
        if used := association(key):
            raise errors.compilation_error(
                f"Policy '{name}' cannot be dropped: it is associated with {used}.", 3539, "42601"
            )
        self.catalog.drop(self.duck, statement.kind, key)
        return Result.status(f"{name} successfully dropped.")

    # --- names -------------------------------------------------------------------------------------------------------

    @property
    def database(self) -> str | None:
        return self.translator.database

    @property
    def schema(self) -> str | None:
        return self.translator.schema

    def resolve(self, name: Name) -> Key:
        """The full key of a schema's object.

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

    def resolve_text(self, text: str) -> Key:
        """As ``resolve``, for a name in a string, such as a system function's argument."""
        return self.resolve(name_in(text))

    def resolve_table(self, table: exp.Table) -> Key:
        """As ``resolve``, for a name in a parsed statement."""
        return self.resolve(name_of(table))

    def table_key(self, table: exp.Table) -> Key | None:
        """As ``resolve_table``, but None where the session lacks the database or schema that the name needs."""
        parts = name_of(table).parts
        database = parts[0] if len(parts) == 3 else self.database
        schema = parts[-2] if len(parts) >= 2 else self.schema
        return (database, schema, parts[-1]) if database and schema else None

    def shown(self, statement: Show) -> list[CatalogObject]:
        """The objects that a SHOW lists: those that the session may see."""
        kind = kind_of(statement.kind)
        return [
            found
            for found in self.catalog.show(self.duck, statement, self.database, self.schema)
            if self.sees(Securable(kind, (found.database, found.schema, found.name)))
        ]

    def translation_key(self, statement: Hashable) -> Hashable:
        """Everything that the translation of ``statement`` depends on in this session."""
        return (
            statement, self.database, self.schema, self.warehouse, self.role, self.user, self.translator.types,
        )  # fmt: skip

    # --- what statements change --------------------------------------------------------------------------------------

    def begin_statement(self, query: Query) -> None:
        """Note the statement that runs, and make the schema named at login current as soon as it exists."""
        if self.query is not None:
            self._earlier.append(self.query.id)
        self.query = query
        pending = self.translator.pending_schema
        if pending and engine.has_schema(self.duck, *pending):
            self.translator.use(*pending)

    def run_on_warehouse(self) -> None:
        """Note that the statement that runs needs the session's warehouse."""
        charge = self.query.charge if self.query else None
        if charge and charge.warehouse is None and self.warehouse:
            self.instance.meter.use(charge, self.warehouse)

    def begin_copy(self) -> None:
        """Note that the statement that runs is a COPY."""
        self.last_copy = self.query_id

    def use_warehouse(self, name: str) -> None:
        self.warehouse = name

    def use_role(self, name: str) -> None:
        self.role = name

    def use_secondary_roles(self, roles: SecondaryRoles) -> None:
        self.secondary_roles = roles

    def note_tables(self) -> None:
        """After a DDL: learn which names are the session's own tables, and which columns are VARIANTs."""
        self.temporary_tables = engine.temporary_tables(self.duck)
        self.translator.learn_types()

    def set_time_zone(self, name: str) -> None:
        parameter_values.set_time_zone(self.duck, name)
        self.time_zone = name

    def snapshot(self) -> AbstractContextManager[None]:
        """As ``Transaction.snapshot``."""
        return self.transaction.snapshot()

    def atomic(self, *, writes: bool = False) -> AbstractContextManager[None]:
        """As ``Transaction.atomic``."""
        return self.transaction.atomic(writes=writes)
