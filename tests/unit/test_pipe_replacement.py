"""Whether a pipe is outdated, and what its replacement does; tests/sql/test_ddl.py replaces a real one."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include import sql
from include.pipe_replacement import LOADED_AGAIN, PIPE_DDL, replace_outdated_pipe

pytestmark = pytest.mark.unit

DDL = sql.render(PIPE_DDL)
COPY = DDL.partition("\nas\n")[2]


class Connection:
    """A connection whose pipe has ``definition``: keeps what is executed."""

    def __init__(self, definition: str) -> None:
        self.definition = definition
        self.scripts: list[str] = []
        self.statements: list[str] = []

    def cursor(self, *_: Any) -> Connection:
        return self

    def execute(self, statement: str, *_: Any, **__: Any) -> None:
        self.statements.append(statement)

    def fetchall(self) -> list[dict[str, Any]]:
        return [{"definition": self.definition}]

    def execute_string(self, script: str, **_: Any) -> None:
        self.scripts.append(script)

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    "definition",
    [COPY, COPY.upper(), re.sub(r"\s+", " ", re.sub(r"--.*", "", COPY)), COPY.replace("(", " (\n").rstrip("\n;")],
    ids=["as sent", "upper case", "one line", "another layout"],
)
def test_a_pipe_that_loads_every_column_stays_whatever_its_layout(definition):
    connection = Connection(definition)
    assert replace_outdated_pipe(connection, DDL) == set()
    assert connection.scripts == []
    assert len(connection.statements) == 1


def test_a_pipe_that_lacks_a_column_is_replaced_and_loads_the_last_day_again():
    connection = Connection(re.sub(r",\s*(\$1:)?sub_sequence_number(::integer)?", "", COPY, flags=re.IGNORECASE))
    assert "sub_sequence_number" in replace_outdated_pipe(connection, DDL)
    (script,) = connection.scripts
    assert script == DDL.replace("create pipe if not exists", "create or replace pipe") != DDL
    refresh = re.fullmatch(r"ALTER PIPE \S+ REFRESH MODIFIED_AFTER = '(.+)'", connection.statements[-1])
    assert refresh
    age = datetime.now(UTC) - datetime.fromisoformat(refresh[1])
    assert LOADED_AGAIN <= age < LOADED_AGAIN + timedelta(minutes=5)
