"""The outbox of findings in Snowflake: stored with the results that it reports or not at all, and sent from there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from include import names
from include.alerts import Alert, Links, compose
from include.alerts.delivery import NotSentError, deliver
from include.alerts.findings import FindingsOutbox, store_alerts
from tests.fixtures.inbox import Inbox

pytestmark = pytest.mark.sql

NOW = datetime(2026, 11, 22, 12, 0, 0, 250000, tzinfo=UTC)


def an_alert(alert_id: str, minute: int = 0) -> Alert:
    return compose(
        alert_id=alert_id, state="failed", severity="error", dag_id="data_quality", concerned=["it's a % rule"],
        details="x", impact="y", run_id="run", links=Links(), stored_at=NOW + timedelta(minutes=minute),
    )  # fmt: skip


@pytest.fixture
def connection(snowflake):
    snowflake.execute(f"delete from {names.ALERTS_TABLE}")
    yield snowflake.connection
    snowflake.connection.autocommit(True)
    snowflake.execute(f"delete from {names.ALERTS_TABLE}")


def test_an_alert_comes_back_as_it_was_the_oldest_first_and_is_stored_once(connection):
    first, second = an_alert("first"), an_alert("second", minute=1)
    store_alerts(connection, "run", [second, first])
    store_alerts(connection, "run 2", [first])
    assert FindingsOutbox(connection).unsent() == [first, second]


def test_what_is_rolled_back_with_its_results_was_never_stored(connection):
    connection.autocommit(False)
    store_alerts(connection, "run", [an_alert("a")])
    connection.rollback()
    assert FindingsOutbox(connection).unsent() == []


def test_while_a_channel_is_down_an_alert_waits_and_the_other_channel_gets_it_once(connection):
    sns, slack = Inbox(), Inbox()
    sns.name, slack.name, sns.is_down = "sns", "slack", True
    store_alerts(connection, "run", [an_alert("a")])
    for _ in range(2):
        with pytest.raises(NotSentError):
            deliver(FindingsOutbox(connection), [sns, slack])
    assert [alert.sent_to for alert in FindingsOutbox(connection).unsent()] == [("slack",)]
    sns.is_down = False
    deliver(FindingsOutbox(connection), [sns, slack])
    assert (sns.messages, slack.messages) == (["a"], ["a"])
    assert FindingsOutbox(connection).unsent() == []


def test_what_was_sent_is_kept_for_a_month_and_what_was_not_for_ever(snowflake, connection):
    for number, age in enumerate(("null", "dateadd('day', -31, sysdate())", "dateadd('day', -29, sysdate())")):
        store_alerts(connection, "run", [an_alert(f"old {number}")])
        snowflake.execute(f"update ALERTS set SENT_AT = {age} where ALERT_ID = 'old {number}'")
    deliver(FindingsOutbox(connection), [Inbox()])
    assert [row[0] for row in snowflake.execute("select ALERT_ID from ALERTS order by 1")] == ["old 0", "old 2"]
