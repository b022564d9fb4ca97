"""A user's session below the wire, and what it gets for a statement."""

from __future__ import annotations

import pytest

from include.local.snowflake.context import Login
from include.local.snowflake.errors import SnowflakeError
from include.local.snowflake.session import Session


class Person:
    def __init__(self, instance, role="ACCOUNTADMIN", **login):
        self.session = Session(instance, Login(**{"database": "D", "schema": "S", "role": role} | login))

    def rows(self, *statements):
        """The rows of the last statement."""
        for statement in statements:
            result = self.session.execute(statement)
        return list(zip(*(column.to_pylist() for column in result.table.columns), strict=True))

    def column(self, statement, name):
        result = self.session.execute(statement)
        return result.table.column([column for column, _ in result.types].index(name)).to_pylist()

    def refusal(self, statement):
        """The number of the error that ``statement`` must raise."""
        with pytest.raises(SnowflakeError) as raised:
            self.session.execute(statement)
        return raised.value.errno
