"""The values of bind variables as literals, for a statement that the engine can't run with its variables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlglot import exp

from . import errors

Node = TypeVar("Node", bound=exp.Expr)


def inlined(expression: Node, binds: Sequence[Any]) -> Node:
    """Return a copy of ``expression`` with each bind variable replaced by its value.

    Raises:
        SnowflakeError: a variable has no value.
    """
    copied: Node = expression.copy()
    for mark in list(copied.find_all(exp.Placeholder)):
        number = int(mark.this)
        if number > len(binds):
            raise errors.compilation_error(f"Bind variable :{number} not set.", 2049)
        mark.replace(exp.convert(binds[number - 1]))
    return copied
