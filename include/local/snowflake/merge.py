"""MERGE, staged: the source once into a temporary table, checked, then DuckDB's own MERGE, in one transaction.

Knowing the source's true size, DuckDB probes the target instead of hashing it; and what Snowflake rejects, two source
rows that would change one target row (error 100090), DuckDB would decide silently.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fakesnow.statement_type import MERGE
from sqlglot import exp

from include.local.snowflake import errors
from include.local.snowflake.results import Result

if TYPE_CHECKING:
    from include.local.snowflake.session import Session

_SOURCE = "_merge_source"


@dataclass(frozen=True)
class CompiledMerge:
    """DuckDB's statements of one MERGE, kept for the next time the same text comes."""

    stage: str
    repeated_keys: str | None  # finds one join key that several source rows have; None where ON is no equality of keys
    ambiguous: str  # counts target rows that several source rows would change
    merge: str
    actions: tuple[str, ...]


def compile_merge(session: Session, expression: exp.Merge) -> CompiledMerge:
    """Translate a MERGE (whose streams are substituted already); ``expression`` is used up."""
    target, using, on = expression.this, expression.args["using"], expression.args["on"]
    source_name = using.alias_or_name
    whens = expression.args["whens"].expressions
    if isinstance(using, exp.Subquery):
        source = using.this
        names = using.args["alias"].columns if using.args.get("alias") else []
        if names:
            source = exp.select("*").from_(using.copy())
    else:
        plain = using.copy()
        source = exp.select("*").from_(plain)
    if expression.args.get("with_"):
        raise errors.unsupported("WITH before MERGE (put it into USING)")
    keys = _source_keys(on, target.alias_or_name, source_name)
    stage = session.translator.translate(source.copy()).sql("duckdb")
    expression.set("using", exp.to_table(_SOURCE, alias=exp.TableAlias(this=exp.to_identifier(source_name))))
    ambiguous = _ambiguous(expression, whens)
    return CompiledMerge(
        stage=f"CREATE OR REPLACE TEMPORARY TABLE {_SOURCE} AS {stage}",
        repeated_keys=keys and f"SELECT 1 FROM {_SOURCE} GROUP BY {keys} HAVING count(*) > 1 LIMIT 1",
        ambiguous=session.translator.translate(ambiguous).sql("duckdb"),
        merge=session.translator.translate(expression).sql("duckdb") + " RETURNING merge_action",
        actions=_actions(whens),
    )


def run(session: Session, compiled: CompiledMerge) -> Result:
    """Run it in the session's open transaction.

    Raises:
        SnowflakeError: 100090, two source rows would change the same target row.
    """
    duck = session.duck
    duck.execute(compiled.stage)
    if compiled.repeated_keys is None or duck.execute(compiled.repeated_keys).fetchone():
        (count,) = duck.execute(compiled.ambiguous).fetchone()
        if count:
            raise errors.SnowflakeError("Duplicate row detected during DML action", 100090, "42P18")
    table = duck.execute(compiled.merge).to_arrow_table()
    counted = {item["values"]: item["counts"] for item in table.column(0).value_counts().to_pylist()}
    duck.execute(f"DROP TABLE {_SOURCE}")
    return Result.counts(
        MERGE, **{f"{name}": counted.get(action, 0) for action, name in _NAMES if action in compiled.actions}
    )


_NAMES = (("INSERT", "inserted"), ("UPDATE", "updated"), ("DELETE", "deleted"))


def _action(when: exp.When) -> str:
    then = when.args["then"]
    if isinstance(then, exp.Insert):
        return "INSERT"
    return "UPDATE" if isinstance(then, exp.Update) else "DELETE"


def _actions(whens: list[exp.When]) -> tuple[str, ...]:
    return tuple({_action(when) for when in whens})


def _source_keys(on: exp.Expr, target: str, source: str) -> str | None:
    """The source's columns of an ON that is nothing but ``target.column = source.column`` joined by AND."""
    keys = []
    for condition in on.flatten() if isinstance(on, exp.And) else [on]:
        if not isinstance(condition, exp.EQ):
            return None
        sides = {side.table.upper(): side for side in (condition.left, condition.right) if isinstance(side, exp.Column)}
        if set(sides) != {target.upper(), source.upper()}:
            return None
        keys.append(f'"{sides[source.upper()].name.upper()}"')
    return ", ".join(keys)


def _ambiguous(merge: exp.Merge, whens: list[exp.When]) -> exp.Expr:
    """Counts target rows with more than one source row to update or delete them, unless all of these delete."""
    matched = [when for when in whens if when.args.get("matched")]
    choice = exp.Case()
    for when in matched:
        condition = when.args.get("condition")
        choice = choice.when(condition.copy() if condition else exp.true(), exp.Literal.string(_action(when)))
    target = merge.this.copy()
    row = exp.column("ROWID", table=target.alias_or_name)
    joined = (
        exp.select(exp.alias_(row, "TARGET_ROW"), exp.alias_(choice if matched else exp.null(), "CHANGE"))
        .from_(target)
        .join(merge.args["using"].copy(), on=merge.args["on"].copy())
    )
    rows = (
        exp.select("TARGET_ROW")
        .from_(joined.subquery("JOINED"))
        .where("CHANGE IS NOT NULL")
        .group_by("TARGET_ROW")
        .having("COUNT(*) > 1 AND COUNT_IF(CHANGE = 'UPDATE') > 0")
    )
    return exp.select(exp.Count(this=exp.Star())).from_(rows.subquery("AMBIGUOUS"))
