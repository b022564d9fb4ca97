"""Snowflake's side of an erasure: one truck out of every table, in one transaction."""

from __future__ import annotations

import json
import re
from contextlib import closing
from io import StringIO
from typing import TYPE_CHECKING

import msgspec

from include import sql
from include.snowflake_rows import execute, first_row, rows_by_column

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

ERASE = "ops/erase_truck.sql"
COUNT = "ops/count_truck.sql"
REWRITTEN = "ops/rewritten_by_erasure.sql"
ASSIGNMENTS = "ops/assignments_of_truck.sql"
# What a message says that named the truck.
INSTEAD = "It named a truck that was erased"
_METACHARACTERS = re.compile(r"[\\.^$|?*+()\[\]{}]")


def count_rows(connection: SnowflakeConnection, truck_id: str) -> dict[str, int]:
    """Table -> rows that belong to the truck or name it; a table without any counts 0."""
    with closing(connection.cursor()) as cursor:
        execute(cursor, sql.render(COUNT), _binds(truck_id))
        return {table: int(found) for table, found in cursor.fetchall()}


def rewritten_rows(connection: SnowflakeConnection, truck_id: str) -> tuple[int, int]:
    """Return how many rows of RAW an erasure rewrites, about, and how many RAW has."""
    rewritten, rows = first_row(connection, sql.statement(REWRITTEN), {"truck_id": truck_id})
    return int(rewritten), int(rows)


def assignments_of(connection: SnowflakeConnection, truck_id: str) -> list[str]:
    """Return the assignments that name the truck, each as a few words: the truck's readings are not those of its id."""
    return [
        f"{row['REPORTED_ID']} from {row['FROM_TIME']} until {row['UNTIL_TIME']} is {row['TRUCK_ID']}"
        for row in rows_by_column(connection, sql.render(ASSIGNMENTS), {"truck_id": truck_id})
    ]


def erase_rows(connection: SnowflakeConnection, truck_id: str) -> None:
    """Remove the truck from every table, or from none.

    Raises:
        snowflake.connector.Error: a statement failed; nothing was changed.
    """
    from snowflake.connector.util_text import split_statements

    script = split_statements(StringIO(sql.render(ERASE)), remove_comments=True)
    binds = _binds(truck_id)
    with closing(connection.cursor()) as cursor:
        try:
            for statement in (text for text, _ in script if text.strip(" \n;")):
                execute(cursor, statement, binds)
        except BaseException:
            cursor.execute("rollback")
            raise


def _binds(truck_id: str) -> dict[str, str]:
    """The truck's id, the id within JSON, and what finds and replaces it in messages.

    JSON: in samples of rules (by json) and details of the ledger (by msgspec).
    """
    key, text = json.dumps(truck_id), msgspec.json.encode(truck_id).decode()
    return {
        "truck_id": truck_id,
        "whole_key": key,
        "begin_of_key": f"{key[:-1]} ",
        "within_text": f" {text[1:-1]} ",
        "by_itself": _by_itself(truck_id),
        "instead": INSTEAD,
    }


def _by_itself(truck_id: str) -> str:
    """The pattern of the id with neither a letter nor a digit of ASCII beside it.

    An id can have any character, so any other one may end it: a message is rather replaced once too often.
    """
    escaped = _METACHARACTERS.sub(r"\\\g<0>", truck_id)
    return f"[^A-Za-z0-9]{escaped}[^A-Za-z0-9]"
