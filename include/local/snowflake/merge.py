"""MERGE, staged: the source once into a temporary table, then DuckDB's own MERGE from it, in one transaction.

Knowing the source's true size, DuckDB probes the target with it instead of hashing a target of millions of rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
from fakesnow.statement_type import MERGE
from sqlglot import exp

from include.local.snowflake import errors
from include.local.snowflake.results import Result

if TYPE_CHECKING:
    from include.local.snowflake.session import Session

_SOURCE = "_merge_source"
# DuckDB's word for what Snowflake calls a nondeterministic merge.
_REPEATED = "cannot affect the same target row more than once"
_NAMES = {"INSERT": "inserted", "UPDATE": "updated", "DELETE": "deleted"}


@dataclass(frozen=True)
class CompiledMerge:
    """DuckDB's statements of one MERGE, kept for the next time the same text comes."""

    stage: str
    merge: str
    actions: frozenset[str]


def compile_merge(session: Session, expression: exp.Merge) -> CompiledMerge:
    """Translate a MERGE (whose streams are substituted already); ``expression`` is used up."""
    if expression.args.get("with_"):
        raise errors.unsupported("WITH before MERGE (put it into USING)")
    using = expression.args["using"]
    columns = using.args["alias"].columns if using.args.get("alias") else []
    is_query = isinstance(using, exp.Subquery) and not columns
    source = using.this if is_query else exp.select("*").from_(using.copy())
    stage = session.translator.translate(source.copy()).sql("duckdb")
    alias = exp.TableAlias(this=exp.to_identifier(using.alias_or_name))
    expression.set("using", exp.to_table(_SOURCE, alias=alias))
    actions = frozenset(_action(when) for when in expression.args["whens"].expressions)
    return CompiledMerge(
        stage=f"CREATE OR REPLACE TEMPORARY TABLE {_SOURCE} AS {stage}",
        merge=session.translator.translate(expression).sql("duckdb") + " RETURNING merge_action",
        actions=actions,
    )


def run(session: Session, compiled: CompiledMerge) -> Result:
    """Run it in the session's open transaction.

    Raises:
        SnowflakeError: 100090, two source rows would change the same target row.
    """
    duck = session.duck
    duck.execute(compiled.stage)
    try:
        actions = duck.execute(compiled.merge).to_arrow_table().column(0)
    except duckdb.InvalidInputException as error:
        if _REPEATED in str(error):
            raise errors.SnowflakeError("Duplicate row detected during DML action", 100090, "42P18") from error
        raise
    counted = {item["values"]: item["counts"] for item in actions.value_counts().to_pylist()}
    duck.execute(f"DROP TABLE {_SOURCE}")
    done = {name: counted.get(action, 0) for action, name in _NAMES.items() if action in compiled.actions}
    return Result.counts(MERGE, **done)


def _action(when: exp.When) -> str:
    then = when.args["then"]
    if isinstance(then, exp.Insert):
        return "INSERT"
    return "UPDATE" if isinstance(then, exp.Update) else "DELETE"
