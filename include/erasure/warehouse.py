"""Snowflake's side of an erasure: one truck out of every table, in one transaction."""

from __future__ import annotations

import json
from contextlib import closing
from io import StringIO

import msgspec
from snowflake.connector import SnowflakeConnection
from snowflake.connector.util_text import split_statements

from include import sql

ERASE = "ops/erase_truck.sql"
COUNT = "ops/count_truck.sql"


def count(connection: SnowflakeConnection, truck_id: str) -> dict[str, int]:
    """Rows by table that are the truck's or name it; tables without any are in it as 0."""
    with closing(connection.cursor()) as cursor:
        rows = cursor.execute(sql.render(COUNT), _binds(truck_id)).fetchall()
    return {table: int(found) for table, found in rows}


def erase(connection: SnowflakeConnection, truck_id: str) -> None:
    """Takes the truck out of every table, all or nothing.

    Raises:
        snowflake.connector.Error: a statement failed; nothing was changed.
    """
    script = split_statements(StringIO(sql.render(ERASE)), remove_comments=True)
    binds = _binds(truck_id)
    with closing(connection.cursor()) as cursor:
        try:
            for statement in (text for text, _ in script if text.strip(" \n;")):
                cursor.execute(statement, binds)
        except BaseException:
            cursor.execute("rollback")
            raise


def _binds(truck_id: str) -> dict[str, str]:
    """The truck, and what contains it: samples of rules (written by json), details of the ledger (by msgspec)."""
    key, text = json.dumps(truck_id), msgspec.json.encode(truck_id).decode()
    return {
        "truck_id": truck_id,
        "whole_key": key,
        "begin_of_key": f"{key[:-1]} ",
        "within_text": f" {text[1:-1]} ",
    }
