"""What fakesnow and DuckDB would answer differently, rewritten before fakesnow translates a statement."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from . import aggregates, dates, flattening, variants

_RULES: dict[type[exp.Expr], Callable[[Any], None]] = {
    **dict.fromkeys(variants.OPERATORS, variants.convert),
    **dict.fromkeys(dates.FUNCTIONS, dates.keep),
    **dict.fromkeys(aggregates.AGGREGATES, aggregates.fill),
    exp.Explode: flattening.mark,
}


def rewrite(expression: exp.Expr) -> None:
    """Rewrite a statement in place: in one walk, as each translation takes it."""
    found = [(rule, node) for node in expression.walk() if (rule := _RULES.get(type(node))) is not None]
    # From the inside: what is around a node is copied with what it has become.
    for rule, node in reversed(found):
        rule(node)
