"""When the rules are checked: nothing wakes a warehouse while nothing happens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.quality import due
from include.quality.due import AGES, Decision, LastCheck, Signs

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
INTERVAL = timedelta(minutes=5)
QUIET = Signs("offset", has_readings=False)


@pytest.fixture
def decide(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A decision at NOW: the signs, whether the warehouse runs, and DynamoDB's newest items."""

    def decide(last: LastCheck | None, signs: Signs = QUIET, *, awake: bool = False, items: str = "items") -> Decision:
        monkeypatch.setattr(due, "signs_of", lambda connection: signs)
        monkeypatch.setattr(due, "is_awake", lambda connection: awake)
        return due.decide(None, last, "this", NOW, min_interval=INTERVAL, newest_items=lambda: items)  # type: ignore[arg-type]

    return decide


def checked(ago: timedelta, **more: Any) -> LastCheck:
    fields = {"offset": "offset", "items": "items", "news_at": NOW - ago, "reminds": False} | more
    return LastCheck("earlier", NOW - ago, **fields)


def test_the_first_check_and_a_retry_are_due(decide: Any) -> None:
    assert decide(None).is_due
    assert decide(LastCheck("this", NOW, "offset", "items", NOW, reminds=False)).is_due


@pytest.mark.parametrize("days", [2, 30, 400])
def test_nothing_is_checked_while_nothing_happens(decide: Any, days: int) -> None:
    quiet = checked(timedelta(hours=1), news_at=NOW - timedelta(days=days))
    assert not decide(quiet, awake=True).is_due


@pytest.mark.parametrize("signs", [Signs("moved", has_readings=False), Signs("offset", has_readings=True)])
def test_news_are_checked_in_the_wake_of_a_merge(decide: Any, signs: Signs) -> None:
    assert decide(checked(timedelta(minutes=6)), signs, awake=True).is_due
    assert not decide(checked(timedelta(minutes=4)), signs, awake=True).is_due
    # Without a merge they wait, but not for ever: it may be the merge that does not run.
    assert not decide(checked(timedelta(minutes=6)), signs).is_due
    assert decide(checked(timedelta(minutes=15)), signs).is_due


def test_without_an_interval_news_are_checked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(due, "signs_of", lambda connection: Signs("moved", has_readings=False))
    monkeypatch.setattr(due, "is_awake", lambda connection: False)
    last, none = checked(timedelta(seconds=3)), timedelta(0)
    decision = due.decide(None, last, "this", NOW, min_interval=none, newest_items=str)  # type: ignore[arg-type]
    assert decision.is_due


def test_new_items_are_news_too(decide: Any) -> None:
    assert decide(checked(timedelta(minutes=15)), items="others").has_news
    # After news of the streams nobody knows the items.
    assert decide(checked(timedelta(minutes=15), items=None)).is_due


def test_time_alone_changes_results_a_few_times_after_the_last_news(decide: Any) -> None:
    quarter, checks, news_at = timedelta(minutes=15), 0, NOW - timedelta(days=3)
    last = LastCheck("earlier", news_at, "offset", "items", news_at, reminds=False)
    for number in range(1, 3 * 96):
        shifted = LastCheck(
            "earlier", NOW - (news_at + number * quarter - last.checked_at), "offset", "items",
            NOW - number * quarter, reminds=False,
        )  # fmt: skip
        decision = decide(shifted)
        if decision.is_due:
            checks += 1
            last = due.after_check(decision, last, "run", news_at + number * quarter, reminds=False)
            assert last.news_at == news_at
    assert checks == len(AGES)


@pytest.mark.parametrize("minutes_between", [5, 15])
def test_when_all_clicks_stop_a_check_comes_while_the_last_hour_still_has_them(
    monkeypatch: pytest.MonkeyPatch, minutes_between: int
) -> None:
    # No truck reports: clicks are all that is new.  Silence of more than 30 minutes is to be found.
    monkeypatch.setattr(due, "signs_of", lambda connection: QUIET)
    monkeypatch.setattr(due, "is_awake", lambda connection: False)
    for minute in range(60):
        stop = NOW + timedelta(hours=1, minutes=minute)
        last, ages = LastCheck("earlier", NOW, "offset", "none", NOW, reminds=False), []
        for number in range(1, 180 // minutes_between):
            # A run comes some seconds after its minute, the earlier ones later.
            now = NOW + timedelta(minutes=number * minutes_between, seconds=30 - number / 10)
            items = str(min(now, stop)) if now - stop < timedelta(hours=1) else ""
            decision = due.decide(
                None, last, f"run {number}", now, min_interval=INTERVAL, newest_items=lambda items=items: items  # type: ignore[arg-type, misc]
            )  # fmt: skip
            if decision.is_due:
                last = due.after_check(decision, last, f"run {number}", now, reminds=False)
                ages.append(now - stop)
        assert any(timedelta(minutes=30) < age < timedelta(minutes=58) for age in ages), (minute, ages)


def test_a_failure_that_lasts_is_checked_again_for_its_reminder(decide: Any) -> None:
    failing = {"reminds": True, "news_at": NOW - timedelta(days=3)}
    assert not decide(checked(timedelta(hours=5), **failing)).is_due
    assert decide(checked(timedelta(hours=6), **failing)).is_due
    assert not decide(checked(timedelta(hours=6), **failing | {"reminds": False})).is_due
