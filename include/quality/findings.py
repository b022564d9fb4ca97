"""Rules over consecutive readings: one statement checks what is new by all of them, and findings stay while they last.

Such a rule is a query over one of the relations in ``sql/quality/relations``.  It returns TRUCK_ID, EVENT_TIME,
READINGS and a SAMPLE_KEY that says what is implausible:

- STAGED_NEW_READINGS: the readings since the last check, each beside the version before it.
- STAGED_LAST_HOUR: the hour of each truck before its newest version.  It is checked once per quarter of an hour.

All rules over a relation are one MERGE into PLAUSIBILITY_FINDINGS.  That of the new readings also moves their stream
on: a reading is checked exactly once, whatever crashes.

A finding is open for :data:`OPEN_HOURS` after the last such reading of its truck.  A rule fails while it has open
findings, and its samples are trucks with their counts.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from include import names, sql
from include.plausibility import plausible
from include.quality.checks import RECENT, RULE_TIMEOUT, SAMPLES_KEPT, TIME_FOR_ALL
from include.quality.rule_results import RuleResult, last_ran, result_for
from include.quality.rules import RELATIONS, Rule
from include.snowflake_rows import first_row, rows_by_column

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

NEW_READINGS, _ = RELATIONS
# As an integer, because it is in the text of the statements.
OPEN_HOURS = int(plausible["open_hours"])
# The rules over the last hour are checked once per quarter of an hour, and leave out trucks that were silent longer.
MINUTES_BETWEEN = 15
LOOK_BACK = timedelta(hours=3)
# At least this share of the trucks, and at least so many, have one cause: one line instead of one per truck.
FLEET_SHARE = 0.5
FLEET_AT_LEAST = 5

RECORD = """\
merge into {table} as KNOWN
using (
    with STAGED_{relation} as (
{query}
    ),

    FOUND as (
{rules}
    )

    select
        RULE,
        TRUCK_ID,
        sum(READINGS) as READINGS,
        max(EVENT_TIME) as EVENT_TIME,
        max_by(SAMPLE_KEY, EVENT_TIME) as DETAIL
    from FOUND
    group by RULE, TRUCK_ID
) as NEW
    on KNOWN.RULE = NEW.RULE and KNOWN.TRUCK_ID = NEW.TRUCK_ID
when matched then
    update set
        READINGS = NEW.READINGS + iff({is_open}, KNOWN.READINGS, 0),
        FIRST_FOUND_AT = iff({is_open}, KNOWN.FIRST_FOUND_AT, sysdate()),
        LAST_FOUND_AT = sysdate(),
        EVENT_TIME = NEW.EVENT_TIME,
        DETAIL = NEW.DETAIL
when not matched then insert (
    RULE, TRUCK_ID, READINGS, FIRST_FOUND_AT, LAST_FOUND_AT, EVENT_TIME, DETAIL
)
values (
    NEW.RULE, NEW.TRUCK_ID, NEW.READINGS, sysdate(), sysdate(), NEW.EVENT_TIME, NEW.DETAIL
)
"""
FOUND_BY = """\
select
    '{name}' as RULE,
    TRUCK_ID,
    EVENT_TIME,
    READINGS,
    SAMPLE_KEY
from (
{rule}
) as OFFENDING"""


def check_readings(
    connection: SnowflakeConnection,
    rules: Sequence[Rule],
    last: Mapping[str, RuleResult],
    now: datetime,
    *,
    seconds_left: float = TIME_FOR_ALL.total_seconds(),
) -> list[RuleResult]:
    """Check what is new by every rule, and return a result for each.

    If a statement fails, every rule of its relation is an error, and the next run checks the same readings.  It has
    more time for them: a stream can't be consumed in part, so a backlog that was too much once would only grow.

    Args:
        rules: those over a relation.
        last: the results of the last run, by rule.
        now: naive UTC.
        seconds_left: what the other rules left of the time for all rules; a statement has a minute in any case.
    """
    from snowflake.connector import errors

    if not rules:
        return []
    problems: dict[str, str] = {}
    deadline = time.monotonic() + seconds_left
    for name in RELATIONS:
        reading = [rule for rule in rules if rule.relation == name]
        if reading and (name == NEW_READINGS or any(_is_due(last.get(rule.name), now) for rule in reading)):
            try:
                timeout = _timeout(reading, last, deadline - time.monotonic())
                _record(connection, name, reading, last, now, timeout)
            except errors.Error as failure:
                problems[name] = str(failure)
    try:
        found = _open_findings(connection)
    except errors.Error as failure:
        problems = dict.fromkeys(RELATIONS, str(failure))
    return [
        result_for(rule, now, status="error", message=problems[rule.relation])
        if rule.relation in problems
        else _judged(rule, found[rule.name], now)
        for rule in rules
    ]


def record_statement(name: str, rules: Iterable[Rule]) -> str:
    """Return the MERGE that records what ``rules`` find in a relation; its bind is since."""
    return RECORD.format(
        table=names.FINDINGS_TABLE,
        relation=name.upper(),
        query=relation(name),
        rules="\nunion all\n".join(FOUND_BY.format(name=rule.name, rule=rule.statement) for rule in rules),
        is_open=f"KNOWN.LAST_FOUND_AT >= dateadd('hour', -{OPEN_HOURS}, sysdate())",
    )


def relation(name: str) -> str:
    """Return the query behind STAGED_<NAME>."""
    return sql.without_comments(sql.statement(f"quality/relations/{name}.sql"))


def _record(
    connection: SnowflakeConnection,
    name: str,
    rules: Sequence[Rule],
    last: Mapping[str, RuleResult],
    now: datetime,
    timeout_seconds: int,
) -> None:
    if name == NEW_READINGS:
        last_check = max((result.checked_at for result in last.values()), default=now)
        if _could_not_run(rules, last):
            # The statement consumes the stream, so it has to read all that came since it last could.
            last_check = last_ran(connection, [rule.name for rule in rules]) or last_check
        since = (last_check - RECENT).replace(hour=0, minute=0, second=0, microsecond=0)
    else:
        since = (now - LOOK_BACK).replace(minute=0, second=0, microsecond=0)
    # The only bind is the same for hours, so that the statement need not be compiled again for each check.
    statement, binds = record_statement(name, rules), {"since": since.isoformat()}
    rows_by_column(connection, statement, binds, timeout_seconds=timeout_seconds)


def _timeout(rules: Sequence[Rule], last: Mapping[str, RuleResult], seconds_left: float) -> int:
    """Return how long the statement of ``rules`` may take, in seconds: after an error all that is left."""
    return int(max(RULE_TIMEOUT.total_seconds(), seconds_left if _could_not_run(rules, last) else 0))


def _could_not_run(rules: Iterable[Rule], last: Mapping[str, RuleResult]) -> bool:
    return any(rule.name in last and last[rule.name].status == "error" for rule in rules)


def _is_due(last: RuleResult | None, now: datetime) -> bool:
    """Return whether another quarter of an hour has begun since the last check."""
    if last is None or last.status == "error":
        return True
    begun = now.replace(minute=now.minute // MINUTES_BETWEEN * MINUTES_BETWEEN, second=0, microsecond=0)
    return last.checked_at < begun


def _open_findings(connection: SnowflakeConnection) -> dict[str, list[dict[str, Any]]]:
    """Return the open findings of most readings by rule, each with the numbers of its rule."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows_by_column(connection, sql.statement("quality/findings/open.sql")):
        found[row["RULE"]].append(row)
    if any(rows[0]["TRUCKS"] >= FLEET_AT_LEAST for rows in found.values()):
        (fleet,) = first_row(connection, sql.statement("quality/findings/reporting_trucks.sql"))
        for rows in found.values():
            if rows[0]["TRUCKS"] >= max(FLEET_AT_LEAST, FLEET_SHARE * fleet):
                rows[0]["FLEET"] = max(fleet, rows[0]["TRUCKS"])
    return found


def _judged(rule: Rule, rows: Sequence[Mapping[str, Any]], now: datetime) -> RuleResult:
    if not rows:
        return result_for(rule, now, status="pass", failed_count=0, message=rule.meaning)
    first = rows[0]
    if fleet := first.get("FLEET"):
        samples = [
            f"fleet-wide: {first['TRUCKS']:,} of {fleet:,} trucks, {first['ALL_READINGS']:,} readings, "
            f"for example {first['DETAIL']}"
        ]
    else:
        samples = [_sample(row) for row in rows[:SAMPLES_KEPT]]
    return result_for(
        rule,
        now,
        status="fail",
        failed_count=first["TRUCKS"],
        samples=samples,
        message=rule.meaning,
        # By our clock, which is not Snowflake's.
        newest_offender_at=now - timedelta(milliseconds=first["NEWEST_AGE"]),
    )


def _sample(row: Mapping[str, Any]) -> str:
    """The truck first: an erasure finds it there."""
    readings = "1 reading" if row["READINGS"] == 1 else f"{row['READINGS']:,} readings, the last"
    return f"{row['TRUCK_ID']} {readings} at {row['EVENT_TIME']:%Y-%m-%d %H:%M:%S}: {row['DETAIL']}"
