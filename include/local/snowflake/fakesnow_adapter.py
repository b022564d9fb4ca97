"""Everything that we use of fakesnow: no other module imports it.

fakesnow translates Snowflake's dialect and functions to DuckDB's and keeps a session's database, schema and variables.
The names used here are private: on an upgrade, tests/local_snowflake/test_fakesnow_contract.py fails first.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa
from fakesnow import info_schema, macros
from fakesnow.conn import FakeSnowflakeConnection
from fakesnow.converter import from_binding
from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.instance import FakeSnow
from fakesnow.statement_type import COPY, DML_TYPE_IDS, MERGE, SELECT, statement_type_id
from fakesnow.transforms import SERVER_VERSION, show
from fakesnow.transforms.stage import LOCAL_BUCKET_PATH
from sqlglot import exp

# sqlglot would load it with the first statement, and registers a dialect before it is complete: a statement in another
# thread would then be written in no dialect at all.
from sqlglot.dialects import duckdb as _duckdb_dialect  # noqa: F401

from . import aggregates, arithmetic, duckdb_macros, epoch_times, flattening, rewriting, texts
from .duckdb_macros import GLOBAL_DATABASE
from .names import quote

# fakesnow hides it from SHOW and INFORMATION_SCHEMA: our tables are here, beside the database's own.
HIDDEN_SCHEMA = "_fs_information_schema"
# A column's name and DuckDB type.
Column = tuple[str, str]

# SHOW ... of what schemas hold.
_OF_A_SCHEMA = ("OBJECTS", "TABLES", "VIEWS", "SEQUENCES")
# Tables and views with VARIANTs or with lower-case letters in any name: database, schema, their own or a column's.
_ODD_RELATIONS = """
    SELECT upper(database_name), upper(schema_name), upper(table_name),
        list(upper(column_name)) FILTER (data_type = 'JSON') AS variants,
        bool_or(
            schema_name <> 'information_schema' AND database_name NOT IN ('memory', '_fs_global')
            AND (column_name <> upper(column_name) OR table_name <> upper(table_name) OR database_name <> 'temp'
                 AND (schema_name, database_name) <> (upper(schema_name), upper(database_name)))
        ) AS mixes_case
    FROM duckdb_columns() WHERE NOT internal AND schema_name <> ? GROUP BY ALL
    HAVING variants IS NOT NULL OR mixes_case
"""
_TIME = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d:\d\d(\.\d{1,6})?)?")


class OnDisk(FakeSnow):
    """fakesnow with all its data in files of ``directory``: one file per database, and one for what spans them."""

    def __init__(self, directory: Path) -> None:
        super().__init__(create_database_on_connect=False, create_schema_on_connect=False, db_path=directory)
        # The import of fakesnow creates it for PUT, which is refused here.
        if (uploads := Path(LOCAL_BUCKET_PATH)).exists():
            uploads.rmdir()
        duck = self.duck_conn
        # Tables and views with VARIANTs, in upper case, and the names of these columns.
        self.variants: dict[tuple[str, str, str], frozenset[str]] = {}
        self.mixes_case = False
        # fakesnow holds stages, comments and the like in memory: a restart would lose them.
        duck.execute(f"DETACH {GLOBAL_DATABASE}")
        duck.execute(f"ATTACH '{directory / GLOBAL_DATABASE}.db' AS {GLOBAL_DATABASE}")
        duck.execute(_with_our_types(info_schema.fs_global_creation_sql()))
        duck.execute(show.fs_global_creation_sql())
        duck.execute(duckdb_macros.creation_sql())
        for file in sorted(directory.glob("*.db")):
            if file.stem != GLOBAL_DATABASE:
                duck.execute(f"ATTACH '{file}' AS {quote(file.stem)}")
                self.complete_database(file.stem)
        self.learn_variants(duck)

    def translator(self, database: str | None, schema: str | None) -> Translator:
        """A session's translator, with a DuckDB connection of its own."""
        return Translator(self.connect(database, schema), self)

    def learn_variants(self, duck: duckdb.DuckDBPyConnection) -> dict[str, frozenset[str]]:
        """Learn again which columns are VARIANTs, after a DDL; return those of the temporary tables of ``duck``."""
        rows = duck.execute(_ODD_RELATIONS, [HIDDEN_SCHEMA]).fetchall()
        found = {(database, schema, table): frozenset(names) for database, schema, table, names, _ in rows if names}
        temporary = {table: found.pop((database, schema, table)) for database, schema, table in list(found)
                     if database == "TEMP"}  # fmt: skip
        self.variants = found
        self.mixes_case = any(mixes_case for *_, mixes_case in rows)
        return temporary

    def complete_database(self, name: str) -> None:
        """Give the attached database ``name`` the views and macros that fakesnow's translations use."""
        self.duck_conn.execute(info_schema.per_db_creation_sql(name))
        # Not OR REPLACE: a column default may depend on a macro, and replacing it would then fail.
        self.duck_conn.execute(
            macros.creation_sql(name).replace("CREATE OR REPLACE MACRO", "CREATE MACRO IF NOT EXISTS")
        )


class Prepared(NamedTuple):
    """A translated statement; a query can run any number of times."""

    translated: exp.Expr
    takes_values: bool


class Translator:
    """A session's side of fakesnow: translates and runs statements on the session's DuckDB connection."""

    def __init__(self, connection: FakeSnowflakeConnection, account: OnDisk) -> None:
        # The session controls transactions: fakesnow must neither begin nor commit one.
        connection._autocommit = True
        self.duck = connection._duck_conn
        self._connection, self._account = connection, account
        self._temporary_variants: dict[str, frozenset[str]] = {}
        self._cursor = FakeSnowflakeCursor(connection, connection._duck_conn)
        self._reserved = _reserved_words()
        self._notes: list[str] = []

    @property
    def database(self) -> str | None:
        return self._connection.database

    @property
    def schema(self) -> str | None:
        return self._connection.schema

    @property
    def pending_schema(self) -> tuple[str, str] | None:
        """The database and schema that were named at login and are not current yet."""
        connection = self._connection
        if connection.schema_set or not connection.database or not connection.schema:
            return None
        return connection.database, connection.schema

    def use(self, database: str, schema: str | None) -> None:
        """Make an existing ``database`` and ``schema`` current."""
        self.duck.execute(f"USE {quote(database)}.{quote(schema or 'main')}")
        self._connection.database, self._connection._schema = database, schema
        self._connection.database_set, self._connection.schema_set = True, schema is not None

    def leave(self) -> None:
        """Leave the current database: afterwards none is current."""
        self.duck.execute("SET schema = 'memory.main'")
        self._connection.database = self._connection._schema = None
        self._connection.database_set = self._connection.schema_set = False

    def learn_types(self) -> None:
        """After a DDL: learn which columns are VARIANTs."""
        self._temporary_variants = self._account.learn_variants(self.duck)

    @property
    def mixes_case(self) -> bool:
        """Whether any stored name has lower-case letters."""
        return self._account.mixes_case

    @property
    def types(self) -> Hashable:
        """What a translation depends on besides names: which columns are VARIANTs."""
        return frozenset(self._account.variants.items()), frozenset(self._temporary_variants.items())

    def _variants_of(self, table: exp.Table) -> frozenset[str]:
        name = table.name.upper()
        if not table.db and name in self._temporary_variants:
            return self._temporary_variants[name]
        database, schema = table.catalog or self.database or "", table.db or self.schema or ""
        return self._account.variants.get((database.upper(), schema.upper(), name), frozenset())

    def check_names(self, expression: exp.Expr) -> None:
        """Raise Snowflake's error where a name needs a current database or schema and there is none."""
        self._cursor.check_db_and_schema(expression)

    def translate(self, expression: exp.Expr, parameters: list[Any] | None = None) -> exp.Expr:
        """Translate one statement, in place, to one statement of DuckDB's."""
        _show_all_of_database(expression)
        knows_variants = self._account.variants or self._temporary_variants
        rewriting.rewrite(expression, self._variants_of if knows_variants else None)
        _try_to_cast_times(expression)
        epoch_times.mark_instants(expression)
        arithmetic.mark_sums(expression)
        translated = _fold_times(self._cursor._transform(expression, parameters))
        epoch_times.replace_timestamps(translated)
        arithmetic.keep_numbers(translated)
        texts.format_values(translated)
        flattening.replace(translated)
        aggregates.drop_nulls(translated)
        return self._quote_reserved(translated)

    def run(self, expression: exp.Expr, parameters: list[Any] | None = None) -> tuple[pa.Table, list[Column]]:
        """Run one Snowflake statement; return its rows and their columns."""
        results = []
        for part in self._cursor._transform_explode(expression):
            translated = self.translate(part, parameters)
            self._take_notes(translated)
            results.append(self.execute(Prepared(translated, _takes_values(translated)), parameters))
        return results[-1]

    def prepare(self, query: exp.Expr) -> Prepared:
        """Translate a query; most become their text, which takes longer to write than many queries to run."""
        translated = self.translate(query)
        takes_values = _takes_values(translated)
        if translated.args.keys() <= translated.arg_types.keys():  # Others tell fakesnow what to do besides.
            first, _, rest = translated.sql("duckdb").partition(" ")
            translated = exp.Command(this=first, expression=rest)
        return Prepared(translated, takes_values)

    def execute(self, query: Prepared, parameters: list[Any] | None) -> tuple[pa.Table, list[Column]]:
        """Run a translated statement; return as ``run``."""
        cursor = self._cursor
        cursor._execute(query.translated, parameters if query.takes_values else None)
        # fakesnow keeps every result for RESULT_SCAN, and would never free it.
        self._connection.results_cache.clear()
        return cursor._arrow_table, [(column[0], str(column[1])) for column in self.duck.description or []]

    def copy_text_lengths(self, table: tuple[str, str, str], copy: tuple[str, str, str]) -> None:
        """Note that the columns of ``copy`` have the lengths of text of those of ``table``."""
        columns = f"{GLOBAL_DATABASE}.{HIDDEN_SCHEMA}._fs_columns_ext"
        key = "(ext_table_catalog, ext_table_schema, ext_table_name)"
        of, to = ("('" + "', '".join(part.replace("'", "''") for part in name) + "')" for name in (table, copy))
        self._notes.append(
            f"INSERT OR REPLACE INTO {columns} SELECT {to[1:-1]}, ext_column_name, ext_character_maximum_length,"
            f" ext_character_octet_length FROM {columns} WHERE {key} = {of}"
        )

    def write_notes(self) -> None:
        """Write what fakesnow keeps about new tables: after their commit, as it is in another database."""
        notes, self._notes = self._notes, []
        for sql in notes:
            self.duck.execute(sql)

    def forget_notes(self) -> None:
        self._notes.clear()

    def close(self) -> None:
        self._connection.close()

    def _take_notes(self, translated: exp.Expr) -> None:
        """Take away comments and lengths of text, which fakesnow would write in the same transaction."""
        comment, lengths = translated.args.pop("table_comment", None), translated.args.pop("text_lengths", None)
        if translated.find(exp.TemporaryProperty):
            return  # They are kept by name, and would be taken for those of a table that it hides.
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


def _takes_values(translated: exp.Expr) -> bool:
    return translated.find(exp.Placeholder) is not None


def _show_all_of_database(expression: exp.Expr) -> None:
    """Without IN, SHOW lists the objects of the current database, not only of the schema."""
    if isinstance(expression, exp.Show) and expression.name.upper() in _OF_A_SCHEMA and not expression.find(exp.Table):
        expression.set("scope_kind", expression.args.get("scope_kind") or "DATABASE")


def _try_to_cast_times(expression: exp.Expr) -> None:
    """Put DuckDB's TRY around each TRY_CAST to a timestamp: fakesnow takes it for a CAST, which raises."""
    for node in list(expression.find_all(exp.TryCast)):
        if node.to.this in (exp.DType.TIMESTAMP, exp.DType.TIMESTAMPNTZ):
            node.replace(exp.Anonymous(this="TRY", expressions=[exp.Cast(this=node.this, to=node.to)]))


def _fold_times(translated: exp.Expr) -> exp.Expr:
    """Cast literal times directly: fakesnow calls a macro for every cast to a timestamp, and DuckDB plans each call."""
    for node in list(translated.find_all(exp.Anonymous)):
        if str(node.this) == "_fs_to_timestamp" and node.expressions[0].is_string:
            text = node.expressions[0]
            if _TIME.fullmatch(text.name):
                node.replace(exp.Cast(this=text, to=exp.DataType.build("TIMESTAMP")))
    return translated


def _with_our_types(creation_sql: str) -> str:
    """fakesnow's view of columns, with every integer of DuckDB as a NUMBER, and instants as TIMESTAMP_LTZ."""
    return (
        creation_sql.replace(
            "create view if not exists _fs_global._fs_information_schema._fs_columns",
            "create or replace view _fs_global._fs_information_schema._fs_columns",
        )
        .replace("columns.data_type='BIGINT'", "columns.data_type IN ('BIGINT', 'HUGEINT', 'INTEGER')")
        .replace("then 'TIMESTAMP_TZ'", "then 'TIMESTAMP_LTZ'")
    )


@functools.cache
def _reserved_words() -> frozenset[str]:
    sql = "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'"
    with duckdb.connect() as duck:
        return frozenset(name for (name,) in duck.execute(sql).fetchall())


__all__ = [
    "COPY",
    "DML_TYPE_IDS",
    "GLOBAL_DATABASE",
    "HIDDEN_SCHEMA",
    "MERGE",
    "SELECT",
    "SERVER_VERSION",
    "Column",
    "OnDisk",
    "Prepared",
    "Translator",
    "from_binding",
    "statement_type_id",
]
