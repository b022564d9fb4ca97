"""What fakesnow and DuckDB would answer differently, rewritten before fakesnow translates a statement."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from . import aggregates, dates, flattening, texts, variant_columns, variants

_RULES: dict[type[exp.Expr], Callable[[Any], None]] = {
    **dict.fromkeys(variants.OPERATORS, variants.convert),
    **dict.fromkeys(dates.FUNCTIONS, dates.keep),
    **dict.fromkeys(aggregates.AGGREGATES, aggregates.fill),
    exp.ArrayToString: aggregates.join,
    exp.ConvertTimezone: dates.in_session,
    exp.Explode: flattening.mark,
    exp.Trim: texts.trim,
}


def rewrite(expression: exp.Expr, variants_of: variant_columns.VariantsOf | None) -> None:
    """Rewrite a statement in place: in one walk, as each translation takes it.

    Args:
        variants_of: which columns of a table are VARIANTs; None where no table has any.
    """
    if variants_of:
        variant_columns.mark(expression, variants_of)
    found = [(rule, node) for node in expression.walk() if (rule := _RULES.get(type(node))) is not None]
    # From the inside: what is around a node is copied with what it has become.
    for rule, node in reversed(found):
        rule(node)
