"""What it costs that the local Snowflake checks privileges: statements per second, with and without."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from snowflake.connector import SnowflakeConnection

from include.local.snowflake import tls
from tests.fixtures.benchmarks import Benchmarks, alternate
from tests.fixtures.snowflake import LocalSnowflake

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]

ROUNDS, REPEATS = 11, 25
# The server has no switch for this: the benchmark takes the one place that every statement passes out of its process.
UNCHECKED = """
import sys
from include.local.snowflake import __main__, authorization
authorization.run = lambda *arguments: arguments[-1]()
sys.exit(__main__.main())
"""
SETUP = ("CREATE DATABASE D", "CREATE TABLE T (ID INTEGER, NAME STRING)", "CREATE TABLE U (ID INTEGER, NAME STRING)")
# A client sends the same texts again and again.
STATEMENTS = (
    ("SELECT NAME FROM T WHERE ID = ?", (7,)),
    ("INSERT INTO T VALUES (?, ?)", (7, "seven")),
    ("UPDATE T SET NAME = ? WHERE ID = ?", ("eight", 7)),
    ("SELECT COUNT(*) FROM T JOIN U ON T.ID = U.ID WHERE U.NAME > ?", ("a",)),
    ("SHOW TABLES LIKE 'T'", ()),
    ("DELETE FROM T WHERE ID = ?", (7,)),
)


class UncheckedSnowflake(LocalSnowflake):
    def command(self) -> list[str]:
        python, _, _, *arguments = super().command()
        return [python, "-c", UNCHECKED, *arguments]


@pytest.fixture
def pair(snowflake_tls: tls.TlsFiles) -> Iterator[dict[str, SnowflakeConnection]]:
    """A connection to a server that checks, and one to a server that does not."""
    with ExitStack() as stack:
        connections = {}
        for name, kind in (("checked", LocalSnowflake), ("unchecked", UncheckedSnowflake)):
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="snowflake-"))
            server = kind(Path(directory), snowflake_tls, {})
            server.start()
            stack.callback(server.kill)
            connections[name] = server.connect(paramstyle="qmark")
            for statement in SETUP:
                connections[name].cursor().execute(statement)
        yield connections


def statements(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    for _ in range(REPEATS):
        for text, values in STATEMENTS:
            cursor.execute(text, values or None).fetchall()


def test_statements_per_second_with_checks(pair: dict[str, SnowflakeConnection], benchmarks: Benchmarks):
    sides = {name: lambda connection=connection: partial(statements, connection) for name, connection in pair.items()}
    rate = {name: REPEATS * len(STATEMENTS) / took for name, took in alternate(ROUNDS, **sides).items()}
    benchmarks.report(
        "statements_with_vs_without_checks",
        rate["checked"],
        "statements/s",
        baseline=rate["unchecked"],
        must_be=">= 0.95",
    )
