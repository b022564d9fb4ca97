"""One run of data quality: check every rule, store every result, and the alerts about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from include.alerts import Alert, Links
from include.quality.checks import RuleSession
from include.quality.findings import check_readings
from include.quality.incidents import continued
from include.quality.item_staging import ItemStaging
from include.quality.rule_alerts import with_alerts
from include.quality.rule_results import RuleResult, last_results, store, utc_now
from include.quality.rules import Rule, RuleError
from include.quality.staged_items import ItemReader

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection


def evaluate(
    connection: SnowflakeConnection,
    run_id: str,
    rules: Sequence[Rule],
    unusable: Sequence[RuleError],
    open_reader: Callable[[], ItemReader],
    links: Links,
) -> tuple[list[RuleResult], list[Alert]]:
    """Check every rule, and replace the run's results; return them, and the alerts that are due.

    Results, their incidents and the alerts are stored in one transaction: an alert is stored exactly if the results say
    that people are notified.

    A rule that can't run, or a file that is no rule, is an error among the results and stops no other rule.  The first
    run of a day (UTC) checks everything and forgets results past their retention.

    Args:
        connection: a Snowflake connection with database and schema set; its autocommit is off afterwards.
        open_reader: makes the reader of DynamoDB items; called only if a rule reads items.

    Raises:
        snowflake.connector.errors.Error: the results could not be read or stored.
    """
    over_readings = [rule for rule in rules if rule.relation]
    others = [rule for rule in rules if not rule.relation]
    sources = {source for rule in others for source in rule.reads}
    with ItemStaging(connection, open_reader, sources) as staging:
        last = last_results(connection)
        today = utc_now().date()
        is_first_today = all(result.checked_at.date() < today for result in last.values())
        session = RuleSession(connection, staging, last, check_everything=is_first_today)
        found = [
            *session.check(others),
            *check_readings(connection, over_readings, last, utc_now(), seconds_left=session.seconds_left),
            *map(_unusable_file, unusable),
        ]
    now = utc_now()
    by_name = {rule.name: rule for rule in rules}
    results, alerts = with_alerts(continued(found, last, now), last, by_name, run_id, links, now)
    store(connection, run_id, results, alerts, forget_old=is_first_today)
    return results, alerts


def _unusable_file(error: RuleError) -> RuleResult:
    """A file that is no rule fails the run: nobody knows what it would have found."""
    return RuleResult(rule=error.rule, severity="fail", status="error", message=str(error), checked_at=utc_now())
