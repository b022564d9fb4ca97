"""Which columns of a statement are VARIANTs: the tables that it reads say so, and the queries inside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlglot import exp

from . import variants
from .names import common_table

# The names of a table's columns that are VARIANTs, in upper case.
VariantsOf = Callable[[exp.Table], frozenset[str]]


def mark(expression: exp.Expr, variants_of: VariantsOf) -> None:
    """Note on each column of ``expression`` that is a VARIANT that it is one, for ``variants.is_variant``."""
    columns = _Columns(variants_of)
    found = [node for node in expression.find_all(exp.Column) if columns.is_variant(node)]
    for node in found:
        node.meta[variants.MARK] = True


class _Columns:
    """The columns of one statement."""

    def __init__(self, variants_of: VariantsOf) -> None:
        self._variants_of = variants_of
        self._of_query: dict[int, frozenset[str]] = {}

    def is_variant(self, node: exp.Expr) -> bool:
        """Whether an expression is a VARIANT, as far as its sources tell."""
        node = node.unnest()
        if not isinstance(node, exp.Column):
            return variants.is_variant(node)
        name, qualifier = node.name.upper(), node.table.upper()
        scope = node.find_ancestor(exp.Select)
        if not qualifier and scope is not None and _is_ordering(node, scope):
            aliased = next((each for each in scope.expressions if each.alias.upper() == name), None)
            if isinstance(aliased, exp.Alias):
                return self.is_variant(aliased.this)
        while True:
            sources = [each for each in _sources(scope, node) if qualifier in ("", each.alias_or_name.upper())]
            if sources or scope is None:
                return any(name in self._of_source(source) for source in sources)
            scope = scope.find_ancestor(exp.Select)

    def _of_source(self, source: exp.Expr) -> frozenset[str]:
        if isinstance(source, exp.Subquery):
            return self._renamed(source, self._of(source.this))
        if not isinstance(source, exp.Table):
            return frozenset()
        cte = common_table(source)
        return self._variants_of(source) if cte is None else self._renamed(cte, self._of(cte.this))

    def _renamed(self, named: exp.Expr, found: frozenset[str]) -> frozenset[str]:
        """``found``, unless ``AS name (columns)`` gives the columns other names: then none is known."""
        alias = named.args.get("alias")
        return frozenset() if alias and alias.args.get("columns") else found

    def _of(self, query: exp.Expr) -> frozenset[str]:
        """The columns of a query that are VARIANTs."""
        while isinstance(query, exp.SetOperation | exp.Subquery):
            query = query.this
        if not isinstance(query, exp.Select):
            return frozenset()
        if id(query) not in self._of_query:
            self._of_query[id(query)] = frozenset()  # of a recursive one, until it is known
            self._of_query[id(query)] = frozenset(self._selected(query))
        return self._of_query[id(query)]

    def _selected(self, select: exp.Select) -> Iterator[str]:
        for each in select.expressions:
            if isinstance(each, exp.Star) or (isinstance(each, exp.Column) and isinstance(each.this, exp.Star)):
                for source in _sources(select, each):
                    if not isinstance(each, exp.Column) or each.table.upper() == source.alias_or_name.upper():
                        yield from self._of_source(source)
            elif self.is_variant(each.this if isinstance(each, exp.Alias) else each):
                yield each.alias_or_name.upper()


def _sources(scope: exp.Select | None, node: exp.Expr) -> list[exp.Expr]:
    """What a SELECT reads; outside any, the tables of the DML around ``node``."""
    if scope is None:
        return list(node.root().find_all(exp.Table))
    joins = [join.this for join in scope.args.get("joins") or []]
    return [each for each in [scope.args["from_"].this if scope.args.get("from_") else None, *joins] if each]


def _is_within(node: exp.Expr, ancestor: exp.Expr) -> bool:
    found: exp.Expr | None = node
    while found is not None and found is not ancestor:
        found = found.parent
    return found is not None


def _is_ordering(node: exp.Column, scope: exp.Select) -> bool:
    """Whether ``node`` is in the ORDER BY of ``scope``, where an alias hides a column."""
    order = scope.args.get("order")
    return order is not None and _is_within(node, order)
