"""What the reconcile task counts, stores and reports (tests/unit/ledger tests the counting itself)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from clicks_to_deliveries.hooks.snowflake_hook import PipelineSnowflakeHook
from clicks_to_deliveries.operators import reconcile
from clicks_to_deliveries.operators.reconcile import ReconcileOperator

from include import names
from include.aws_clients import StoreClients
from include.ledger import Balance
from include.ledger.balance import DIFFERENCES
from include.ledger.due_hours import LedgerRow

pytestmark = pytest.mark.unit

HOUR = datetime(2025, 3, 17, 10, tzinfo=UTC)
TRUCKS = names.TRUCK_STREAM


class Ledger:
    """The stored balances, the content of the stores, and the hours that were counted."""

    def __init__(self) -> None:
        self.known: dict[datetime, LedgerRow] = {}
        self.found: dict[datetime, dict[str, Any]] = {}
        self.stored: list[Balance] = []
        self.asked: dict[str, list[datetime]] = {}
        self.notified: list[tuple[str, ...]] = []

    def counted(self, connection: Any, stream: str) -> dict[datetime, LedgerRow]:
        return dict(self.known) if stream == TRUCKS else {}

    def store(self, connection: Any, balance: Balance, run_id: str, checked_at: datetime) -> None:
        self.stored.append(balance)
        if balance.stream == TRUCKS:
            self.known[balance.hour] = LedgerRow(
                balance.is_open,
                balance.balanced,
                balance.waiting,
                checked_at,
                run_id,
                {kind: getattr(balance, kind) for kind in DIFFERENCES},
            )

    def reconcile_stream(self, clients: Any, connection: Any, bucket: str, stream: str, hours: Any, **_: Any) -> Any:
        self.asked[stream] = list(hours)
        for hour in hours:
            found = self.found.get(hour, {}) if stream == TRUCKS else {}
            yield Balance(**{"stream": stream, "hour": hour, "is_open": False, "archived": 5, **found})


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch) -> Ledger:
    ledger = Ledger()
    connection = SimpleNamespace(autocommit=lambda mode: None, close=lambda: None)
    monkeypatch.setattr(PipelineSnowflakeHook, "get_conn", lambda _: connection)
    monkeypatch.setattr(reconcile, "store_clients", lambda client: StoreClients(None, None))
    monkeypatch.setattr(reconcile, "first_hour", lambda s3, bucket, stream: HOUR)
    monkeypatch.setattr(reconcile, "reconcile_stream", ledger.reconcile_stream)
    monkeypatch.setattr(reconcile, "ledger_rows", ledger.counted)
    monkeypatch.setattr(reconcile, "store_balance", ledger.store)
    monkeypatch.setattr(reconcile, "due_hours", lambda stream, *_: [HOUR] if stream == TRUCKS else [])
    monkeypatch.setattr(reconcile, "publish", lambda *message: ledger.notified.append(message))
    return ledger


def run(run_id: str = "run 1", topic: str = "arn:topic", **asked: str) -> dict[str, Any]:
    operator = ReconcileOperator(task_id="count", bucket="b", index_shards=1, topic_arn=topic, **asked)
    return operator.execute({"run_id": run_id})


LOST = {"missing": 2, "samples": {"missing": ["telemetry-data/x.json.gz is not loaded (2 readings)"]}}


def test_a_balanced_hour_is_stored_and_reported_to_nobody(ledger: Ledger) -> None:
    assert run() == {"counted": 1, "balanced": 1, "still_unbalanced": [], "recovered": []}
    assert [each.hour for each in ledger.stored] == [HOUR]


def test_a_difference_is_stored_first_and_then_reported_with_its_file(ledger: Ledger) -> None:
    ledger.found[HOUR] = LOST
    with pytest.raises(AirflowFailException) as failure:
        run()
    assert [each.missing for each in ledger.stored] == [2]
    for part in ("1 of 1 hours", f"{TRUCKS} 2025-03-17T10: 2 missing", "telemetry-data/x.json.gz"):
        assert part in str(failure.value)


def test_the_same_difference_is_reported_once(ledger: Ledger) -> None:
    ledger.found[HOUR] = LOST
    with pytest.raises(AirflowFailException):
        run("run 1")
    assert run("run 2")["still_unbalanced"] == [f"{TRUCKS} 2025-03-17T10"]
    assert run("run 3")["still_unbalanced"] == [f"{TRUCKS} 2025-03-17T10"]


@pytest.mark.parametrize("more", [{"missing": 3}, {"missing": 2, "uncovered": 1}], ids=["more", "of_another_kind"])
def test_one_that_has_grown_is_reported_again(ledger: Ledger, more: dict[str, int]) -> None:
    ledger.found[HOUR] = LOST
    with pytest.raises(AirflowFailException):
        run("run 1")
    ledger.found[HOUR] = more
    with pytest.raises(AirflowFailException):
        run("run 2")


def test_one_that_has_shrunk_is_known(ledger: Ledger) -> None:
    ledger.found[HOUR] = LOST
    with pytest.raises(AirflowFailException):
        run("run 1")
    ledger.found[HOUR] = {"missing": 1}
    assert run("run 2")["still_unbalanced"]


def test_a_run_that_was_killed_between_storing_and_reporting_reports_when_it_is_retried(ledger: Ledger) -> None:
    ledger.found[HOUR] = LOST
    for _ in range(2):
        with pytest.raises(AirflowFailException):
            run("run 1")


def test_an_hour_that_balances_again_is_notified_once(ledger: Ledger) -> None:
    ledger.found[HOUR] = LOST
    with pytest.raises(AirflowFailException):
        run("run 1")
    assert ledger.notified == []
    ledger.found.clear()
    assert run("run 2")["recovered"] == [f"{TRUCKS} 2025-03-17T10"]
    assert run("run 3")["recovered"] == []
    ((topic, _, subject, message),) = ledger.notified
    assert (topic, subject) == ("arn:topic", f"[recovered] reconcile: {TRUCKS} 2025-03-17T10")
    assert "run 2" in message


def test_one_hour_recovers_while_another_differs(ledger: Ledger) -> None:
    later = HOUR + timedelta(hours=1)
    asked = {"since": "2025-03-17T10:00:00Z", "until": "2025-03-17T12:00:00Z"}
    ledger.found = {HOUR: LOST}
    with pytest.raises(AirflowFailException):
        run("run 1", **asked)
    ledger.found = {later: LOST}
    with pytest.raises(AirflowFailException, match="2025-03-17T11"):
        run("run 2", **asked)
    assert [subject for _, _, subject, _ in ledger.notified] == [f"[recovered] reconcile: {TRUCKS} 2025-03-17T10"]


def test_before_there_is_a_topic_nobody_is_notified(ledger: Ledger) -> None:
    ledger.found[HOUR] = LOST
    with pytest.raises(AirflowFailException):
        run("run 1", topic="")
    ledger.found.clear()
    assert run("run 2", topic="")["recovered"]
    assert ledger.notified == []


def test_an_open_hour_is_stored_and_fails_nothing(ledger: Ledger) -> None:
    ledger.found[HOUR] = {**LOST, "is_open": True}
    assert run()["still_unbalanced"] == []
    assert [(each.is_open, each.balanced) for each in ledger.stored] == [(True, False)]
    # A difference found while the hour was open counts as new when the hour has closed.
    ledger.found[HOUR] = LOST
    with pytest.raises(AirflowFailException):
        run("run 2")


def test_requested_hours_are_counted_for_both_streams_and_all_differences_reported(ledger: Ledger) -> None:
    ledger.found[HOUR] = LOST
    with pytest.raises(AirflowFailException):
        run("run 1")
    with pytest.raises(AirflowFailException):
        run("by hand", since="2025-03-17T10:30:00Z", until="2025-03-17T12:00:00Z")
    hours = [HOUR, HOUR + timedelta(hours=1)]
    assert ledger.asked == {names.CLICK_STREAM: hours, TRUCKS: hours}


@pytest.mark.parametrize("until", ["", "2999-01-01T00:00:00Z"], ids=["left_open", "in_the_future"])
def test_without_an_end_in_the_past_the_open_hour_is_the_last(ledger: Ledger, until: str) -> None:
    run(since=(datetime.now(UTC) - timedelta(hours=2)).isoformat(timespec="seconds"), until=until)
    assert len(ledger.asked[TRUCKS]) == 3


@pytest.mark.parametrize(
    ("since", "until", "complaint"),
    [
        ("", "2025-03-17T12:00:00Z", "until without since"),
        ("yesterday", "", "ISO 8601"),
        ("2025-03-17T12:00:00Z", "2025-03-17T11:00:00Z", "no hour is from"),
    ],
)
def test_times_that_can_not_be_used_are_refused(ledger: Ledger, since: str, until: str, complaint: str) -> None:
    with pytest.raises(AirflowFailException, match=complaint):
        run(since=since, until=until)
    assert ledger.asked == {}


def test_an_alert_stays_short_and_says_how_much_it_leaves_out(ledger: Ledger) -> None:
    ledger.found = {HOUR + number * timedelta(hours=1): LOST for number in range(20)}
    with pytest.raises(AirflowFailException) as failure:
        run(since="2025-03-17T10:00:00Z", until="2025-03-18T05:59:00Z")
    assert "and 10 more, see CONSERVATION_LEDGER" in str(failure.value)
    assert len(str(failure.value).splitlines()) == 12
