"""Every channel gets every alert, once unless something crashes, and one that is down holds up no other."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from include.alerts import Alert, Links, compose
from include.alerts.delivery import NotSentError, deliver
from tests.fixtures.inbox import Inbox

pytestmark = pytest.mark.unit


def an_alert(name: str) -> Alert:
    return compose(
        alert_id=name, state="failed", severity="error", dag_id="replay", concerned=[name], details="", impact="",
        run_id="run", links=Links(), stored_at=datetime(2026, 11, 22, tzinfo=UTC),
    )  # fmt: skip


class Memory:
    def __init__(self, *names: str) -> None:
        self.alerts = {name: an_alert(name) for name in names}

    def unsent(self) -> list[Alert]:
        return list(self.alerts.values())

    def record(self, alert: Alert, *, is_sent: bool) -> None:
        if is_sent:
            del self.alerts[alert.alert_id]
        else:
            self.alerts[alert.alert_id] = alert


def test_each_alert_goes_to_each_channel_in_order() -> None:
    outbox, sns, slack = Memory("a", "b"), Inbox("sns"), Inbox("slack")
    assert deliver(outbox, [sns, slack]) == 2
    assert sns.messages == slack.messages == ["a", "b"]
    assert deliver(outbox, [sns, slack]) == 0


def test_a_channel_that_is_down_fails_the_task_keeps_its_alerts_and_holds_up_no_other() -> None:
    outbox, sns, slack = Memory("a", "b"), Inbox("sns"), Inbox("slack")
    sns.is_down = True
    for _ in range(12):
        with pytest.raises(NotSentError, match="2 of 2 alerts wait: sns: OSError: unreachable"):
            deliver(outbox, [sns, slack])
    assert (sns.messages, slack.messages) == ([], ["a", "b"])
    sns.is_down = False
    deliver(outbox, [sns, slack])
    assert (sns.messages, slack.messages) == (["a", "b"], ["a", "b"])
    assert outbox.alerts == {}


def test_a_crash_between_sending_and_recording_repeats_one_message_on_one_channel() -> None:
    class Crash(BaseException):
        pass

    class Crashing(Memory):
        def record(self, alert: Alert, *, is_sent: bool) -> None:
            raise Crash

    outbox, sns, slack = Crashing("a", "b"), Inbox("sns"), Inbox("slack")
    with pytest.raises(Crash):
        deliver(outbox, [sns, slack])
    outbox.__class__ = Memory
    deliver(outbox, [sns, slack])
    assert (sns.messages, slack.messages) == (["a", "a", "b"], ["a", "b"])


def test_a_headline_is_ascii_and_short_enough_for_sns() -> None:
    alert = compose(
        alert_id="", state="failed", severity="error", dag_id="d" * 90, concerned=["Zug 日本", "b"], details="",
        impact="", run_id="", links=Links(), stored_at=datetime(2026, 11, 22, tzinfo=UTC),
    )  # fmt: skip
    assert len(alert.headline) == 100
    assert alert.headline.isascii()
