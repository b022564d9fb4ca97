"""Describing a statement other than a query: the columns of its result, without running what changes anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlglot import exp

from . import authorization, errors, grammar, ownership, reads
from .context import Context
from .fakesnow_adapter import statement_type_id
from .results import Result
from .statements import Statement


def without_rows(context: Context, sql: str, statement: Statement, execute: Callable[[], Result]) -> Result:
    """The result of a statement, without its rows; ``execute`` runs it, which SHOW and DESCRIBE need.

    Raises:
        SnowflakeError: a DML names what does not exist, or the session's roles may not run it.
    """
    if isinstance(statement, exp.Show | exp.Describe | grammar.Show | grammar.Describe):
        described = execute()
    elif isinstance(statement, exp.Insert | exp.Update | exp.Delete | exp.Merge):
        _check_target(context, statement)
        described = authorization.run(context, sql, statement, lambda: _counts(statement))
    else:
        described = Result.status("", 0)
    return replace(described, table=described.table.slice(0, 0))


def _check_target(context: Context, statement: exp.Expr) -> None:
    into = statement.this.this if isinstance(statement.this, exp.Schema) else statement.this
    target = reads.relation(context, into) if isinstance(into, exp.Table) else None
    if target is not None and not ownership.exists(context, target):
        raise errors.does_not_exist("Object", target.name)


def _counts(statement: exp.Expr) -> Result:
    kind = statement_type_id(statement)
    match statement:
        case exp.Insert():
            return Result.counts(kind, inserted=0)
        case exp.Update():
            return Result.of(["number of rows updated", "number of multi-joined rows updated"], [[0, 0]], kind)
        case exp.Delete():
            return Result.counts(kind, deleted=0)
    actions = [str(when.args["then"].key) for when in statement.args["whens"].expressions]
    done = {"inserted": "insert", "updated": "update", "deleted": "var"}
    return Result.counts(kind, **{name: 0 for name, action in done.items() if action in actions})
