"""All that is used of fakesnow's internals, in one place.

fakesnow translates Snowflake's dialect and functions to DuckDB's and keeps a session's database, schema and variables.
Its names used here are private: tests/local_snowflake/test_fakesnow_contract.py fails first on an upgrade.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from fakesnow import info_schema, macros
from fakesnow.conn import FakeSnowflakeConnection
from fakesnow.converter import from_binding
from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.instance import FakeSnow
from fakesnow.transforms import SERVER_VERSION, show
from fakesnow.transforms.stage import LOCAL_BUCKET_PATH
from sqlglot import exp

GLOBAL_DATABASE = "_fs_global"
# Hidden from SHOW and INFORMATION_SCHEMA by fakesnow: the place for what we keep beside the tables.
HIDDEN_SCHEMA = "_fs_information_schema"
_TIME = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d:\d\d(\.\d{1,6})?)?")


class OnDisk(FakeSnow):
    """fakesnow with everything it keeps in files of ``directory``: a file a database, and one for what spans them."""

    def __init__(self, directory: Path) -> None:
        super().__init__(create_database_on_connect=False, create_schema_on_connect=False, db_path=directory)
        # Made by the import of fakesnow, for PUT, which is refused here.
        if (uploads := Path(LOCAL_BUCKET_PATH)).exists():
            uploads.rmdir()
        duck = self.duck_conn
        # Stages, comments and the like: fakesnow holds them in memory, and a restart would forget them.
        duck.execute(f"DETACH {GLOBAL_DATABASE}")
        duck.execute(f"ATTACH '{directory / GLOBAL_DATABASE}.db' AS {GLOBAL_DATABASE}")
        duck.execute(info_schema.fs_global_creation_sql())
        duck.execute(show.fs_global_creation_sql())
        for file in sorted(directory.glob("*.db")):
            if file.stem != GLOBAL_DATABASE:
                duck.execute(f"ATTACH '{file}' AS \"{file.stem}\"")
                self.complete_database(file.stem)

    def complete_database(self, name: str) -> None:
        """Give the attached database ``name`` the views and macros that fakesnow's translations use."""
        self.duck_conn.execute(info_schema.per_db_creation_sql(name))
        # Not OR REPLACE: a column default may depend on a macro, and replacing it would then fail.
        self.duck_conn.execute(
            macros.creation_sql(name).replace("CREATE OR REPLACE MACRO", "CREATE MACRO IF NOT EXISTS")
        )


class Translator:
    """A session's side of fakesnow: translates and runs statements on the session's DuckDB connection."""

    def __init__(self, connection: FakeSnowflakeConnection) -> None:
        # Transactions are the session's business: fakesnow must neither begin nor commit one.
        connection._autocommit = True
        self.connection = connection
        self.cursor = FakeSnowflakeCursor(connection, connection._duck_conn)
        self._reserved = _reserved_words()
        self._notes: list[str] = []

    @property
    def duck(self) -> duckdb.DuckDBPyConnection:
        return self.connection._duck_conn

    @property
    def database(self) -> str | None:
        return self.connection.database

    @property
    def schema(self) -> str | None:
        return self.connection.schema

    def use(self, database: str, schema: str | None) -> None:
        """Make an existing ``database`` and ``schema`` current."""
        self.duck.execute(f'SET schema = \'"{database}"."{schema or "main"}"\'')
        self.connection.database, self.connection._schema = database, schema
        self.connection.database_set, self.connection.schema_set = True, schema is not None

    def leave(self) -> None:
        """No database is current any more."""
        self.duck.execute("SET schema = 'memory.main'")
        self.connection.database = self.connection._schema = None
        self.connection.database_set = self.connection.schema_set = False

    def inline_variables(self, sql: str) -> str:
        """``sql`` with the session's variables ($name) replaced by their values."""
        return self.connection.variables.inline_variables(sql) if self.connection.variables._variables else sql

    def check_names(self, expression: exp.Expr) -> None:
        """Raise as Snowflake does where a name needs a current database or schema and there is none."""
        self.cursor.check_db_and_schema(expression)

    def translate(self, expression: exp.Expr, parameters: list[Any] | None = None) -> exp.Expr:
        """``expression`` (changed in place) as DuckDB's: one statement becomes one."""
        _try_to_cast_times(expression)
        return self._quote_reserved(_fold_times(self.cursor._transform(expression, parameters)))

    def run(self, expression: exp.Expr, parameters: list[Any] | None = None) -> tuple[pa.Table, list[tuple]]:
        """Run one Snowflake statement; its result and DuckDB's description of the columns."""
        parts = self.cursor._transform_explode(expression)
        return [self.execute(self.translate(part, parameters), parameters) for part in parts][-1]

    def execute(self, translated: exp.Expr, parameters: list[Any] | None = None) -> tuple[pa.Table, list[tuple]]:
        """Run what ``translate`` gave; as ``run``."""
        self._take_notes(translated)
        cursor = self.cursor
        cursor._execute(translated, parameters if translated.find(exp.Placeholder) else None)
        # fakesnow keeps every result for RESULT_SCAN, which would never be freed.
        if cursor._sfqid:
            self.connection.results_cache.pop(cursor._sfqid, None)
        return cursor._arrow_table, list(self.duck.description or [])

    def write_notes(self) -> None:
        """Write down what fakesnow keeps of tables that were made: after their commit, as it is in another database."""
        notes, self._notes = self._notes, []
        for sql in notes:
            self.duck.execute(sql)

    def forget_notes(self) -> None:
        self._notes.clear()

    def close(self) -> None:
        self.connection.close()

    def _take_notes(self, translated: exp.Expr) -> None:
        """Comments and lengths of text, which fakesnow would write in the same transaction."""
        comment, lengths = translated.args.pop("table_comment", None), translated.args.pop("text_lengths", None)
        if comment:
            table, text = comment
            self._notes.append(info_schema.insert_table_comment_sql(*self._key(table), text))
        if lengths and (table := translated.find(exp.Table)):
            self._notes.append(info_schema.insert_text_lengths_sql(*self._key(table), lengths))

    def _key(self, table: exp.Table) -> tuple[str, str, str]:
        return table.catalog or self.database or "", table.db or self.schema or "", table.name

    def _quote_reserved(self, expression: exp.Expr) -> exp.Expr:
        """Quote names that are reserved words of DuckDB and not of Snowflake."""
        for identifier in expression.find_all(exp.Identifier):
            if identifier.name.lower() in self._reserved:
                identifier.set("quoted", True)
        return expression


def _try_to_cast_times(expression: exp.Expr) -> None:
    """TRY_CAST to a timestamp: fakesnow takes it for a CAST, which raises; TRY is what DuckDB puts around one."""
    for node in list(expression.find_all(exp.TryCast)):
        if node.to.this in (exp.DType.TIMESTAMP, exp.DType.TIMESTAMPNTZ):
            node.replace(exp.Anonymous(this="TRY", expressions=[exp.Cast(this=node.this, to=node.to)]))


def _fold_times(translated: exp.Expr) -> exp.Expr:
    """Times written out: DuckDB need not plan the macro that fakesnow puts for every cast to a timestamp."""
    for node in list(translated.find_all(exp.Anonymous)):
        if str(node.this) == "_fs_to_timestamp" and node.expressions[0].is_string:
            text = node.expressions[0]
            if _TIME.fullmatch(text.name):
                node.replace(exp.Cast(this=text, to=exp.DataType.build("TIMESTAMP")))
    return translated


@functools.cache
def _reserved_words() -> frozenset[str]:
    sql = "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'"
    with duckdb.connect() as duck:
        return frozenset(name for (name,) in duck.execute(sql).fetchall())


def result_types(description: list[tuple]) -> list[tuple[str, str]]:
    """(column name, DuckDB type) of a DuckDB cursor's description."""
    return [(column[0], str(column[1])) for column in description]


__all__ = ["GLOBAL_DATABASE", "HIDDEN_SCHEMA", "SERVER_VERSION", "OnDisk", "Translator", "from_binding", "result_types"]
