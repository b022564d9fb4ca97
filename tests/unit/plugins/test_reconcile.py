"""What the reconcile task counts, stores and reports (tests/unit/ledger tests the counting itself)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException
from clicks_to_deliveries.failures import FormError, ReportedFailure
from clicks_to_deliveries.hooks.snowflake_hook import PipelineSnowflakeHook
from clicks_to_deliveries.operators import reconcile
from clicks_to_deliveries.operators.reconcile import ReconcileOperator

from include import assets, names
from include.alerts import Alert
from include.aws_clients import StoreClients
from include.ledger import Balance
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
        self.alerts: list[Alert] = []
        # Whether the run is killed before it stores what people are notified of.
        self.is_killed = False

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
                before.alerted if (before := self.known.get(balance.hour)) else None,
            )

    def record(self, connection: Any, run_id: str, balances: Any, alerts: list[Alert]) -> None:
        if self.is_killed:
            raise KeyboardInterrupt
        for balance in balances:
            row = self.known[balance.hour]
            self.known[balance.hour] = row._replace(alerted=None if balance.balanced else balance.counts())
        self.alerts += alerts

    @property
    def headlines(self) -> list[str]:
        return [alert.headline for alert in self.alerts]

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
    monkeypatch.setattr(reconcile, "record_alerts", ledger.record)
    return ledger


def run(run_id: str = "run 1", **asked: str) -> dict[str, Any]:
    operator = ReconcileOperator(task_id="count", bucket="b", index_shards=1, **asked)
    return operator.execute({"run_id": run_id, "ti": SimpleNamespace(xcom_push=lambda key, value: None)})


LOST = {"missing": 2, "samples": {"missing": ["telemetry-data/x.json.gz is not loaded (2 readings)"]}}


def test_a_balanced_hour_is_stored_and_reported_to_nobody(ledger: Ledger) -> None:
    assert run() == {"counted": 1, "balanced": 1, "still_unbalanced": [], "recovered": []}
    assert [each.hour for each in ledger.stored] == [HOUR]


def test_a_difference_is_stored_first_and_then_reported_with_its_file(ledger: Ledger) -> None:
    ledger.found[HOUR] = LOST
    with pytest.raises(ReportedFailure) as failure:
        run()
    assert [each.missing for each in ledger.stored] == [2]
    (alert,) = ledger.alerts
    assert alert.headline == f"[failed] reconcile: {TRUCKS} 2025-03-17T10"
    for part in ("1 of 1 hours", f"{TRUCKS} 2025-03-17T10: 2 missing", "telemetry-data/x.json.gz"):
        assert part in str(failure.value)
        assert part in alert.message
    for part in ("since      2025-03-17 10:00:00 UTC", "severity   error", "run 1", "docs/runbooks/reconcile.md"):
        assert part in alert.message


def test_the_same_difference_is_reported_once(ledger: Ledger) -> None:
    ledger.found[HOUR] = LOST
    with pytest.raises(ReportedFailure):
        run("run 1")
    assert run("run 2")["still_unbalanced"] == [f"{TRUCKS} 2025-03-17T10"]
    assert run("run 3")["still_unbalanced"] == [f"{TRUCKS} 2025-03-17T10"]


@pytest.mark.parametrize("more", [{"missing": 3}, {"missing": 2, "uncovered": 1}], ids=["more", "of_another_kind"])
def test_one_that_has_grown_is_reported_again(ledger: Ledger, more: dict[str, int]) -> None:
    ledger.found[HOUR] = LOST
    with pytest.raises(ReportedFailure):
        run("run 1")
    ledger.found[HOUR] = more
    with pytest.raises(ReportedFailure):
        run("run 2")


def test_one_that_has_shrunk_is_known(ledger: Ledger) -> None:
    ledger.found[HOUR] = LOST
    with pytest.raises(ReportedFailure):
        run("run 1")
    ledger.found[HOUR] = {"missing": 1}
    assert run("run 2")["still_unbalanced"]


def test_one_that_has_shrunk_and_grows_again_is_reported_again(ledger: Ledger) -> None:
    for missing in (2, 1, 2):
        ledger.found[HOUR] = {"missing": missing}
        with suppress(ReportedFailure):
            run(f"run {missing}")
    assert len(ledger.alerts) == 2


def test_a_run_that_was_killed_between_storing_and_reporting_is_reported_by_the_next_run(ledger: Ledger) -> None:
    ledger.found[HOUR] = LOST
    ledger.is_killed = True
    with pytest.raises(KeyboardInterrupt):
        run("run 1")
    ledger.is_killed = False
    with pytest.raises(ReportedFailure):
        run("run 2")
    run("run 3")
    assert ledger.headlines == [f"[failed] reconcile: {TRUCKS} 2025-03-17T10"]


def test_an_hour_that_balances_again_is_notified_once_also_if_the_first_run_to_see_it_is_killed(ledger: Ledger) -> None:
    ledger.found[HOUR] = LOST
    with pytest.raises(ReportedFailure):
        run("run 1")
    ledger.found.clear()
    ledger.is_killed = True
    with pytest.raises(KeyboardInterrupt):
        run("run 2")
    ledger.is_killed = False
    assert run("run 3")["recovered"] == [f"{TRUCKS} 2025-03-17T10"]
    assert run("run 4")["recovered"] == []
    _, alert = ledger.alerts
    assert (alert.headline, alert.is_over) == (f"[recovered] reconcile: {TRUCKS} 2025-03-17T10", True)
    assert "run 3" in alert.message


def test_one_hour_recovers_while_another_differs(ledger: Ledger) -> None:
    later = HOUR + timedelta(hours=1)
    asked = {"since": "2025-03-17T10:00:00Z", "until": "2025-03-17T12:00:00Z"}
    ledger.found = {HOUR: LOST}
    with pytest.raises(ReportedFailure):
        run("run 1", **asked)
    ledger.found = {later: LOST}
    with pytest.raises(ReportedFailure, match="2025-03-17T11"):
        run("run 2", **asked)
    assert ledger.headlines == [
        f"[failed] reconcile: {TRUCKS} 2025-03-17T10",
        f"[failed] reconcile: {TRUCKS} 2025-03-17T11",
        f"[recovered] reconcile: {TRUCKS} 2025-03-17T10",
    ]
    assert not ledger.alerts[-1].is_over


def recovery_beside(ledger: Ledger, age: timedelta) -> tuple[Alert, str]:
    """The alert about an hour that recovers while one of this age differs, which no run counts; and its name."""
    ledger.found[HOUR] = LOST
    with pytest.raises(ReportedFailure):
        run("run 1")
    ledger.found.clear()
    other = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - age
    ledger.known[other] = LedgerRow(False, False, 0, datetime.now(UTC), {"missing": 2})
    run("run 2")
    return ledger.alerts[-1], f"{TRUCKS} {other:%Y-%m-%dT%H}"


def test_an_hour_that_recovers_is_not_the_end_of_one_that_this_run_did_not_count(ledger: Ledger) -> None:
    alert, yesterday = recovery_beside(ledger, timedelta(days=1))
    assert (alert.state, alert.is_over) == ("recovered", False)
    assert f"still different: 1, such as {yesterday}" in alert.message


def test_the_end_of_an_incident_names_the_hours_that_nobody_counts_any_more(ledger: Ledger) -> None:
    alert, long_ago = recovery_beside(ledger, timedelta(days=3))
    # One that is lost for good keeps no incident open, in which the next one would not be heard.
    assert alert.is_over
    assert f"still different, and not counted any more: 1, such as {long_ago}" in alert.message


def test_an_hours_records_are_counted_once_it_has_closed(ledger: Ledger, metrics: dict[str, float]) -> None:
    counters = {"ledger.hours": 0, "ledger.archived": 0, "ledger.quarantined": 0, "ledger.missing": 0}
    ledger.found[HOUR] = {**LOST, "is_open": True}
    run()
    assert metrics == {**counters, "ledger.unbalanced_hours": 0}
    ledger.found[HOUR] = {**LOST, "quarantined": 1}
    counters = {"ledger.hours": 1, "ledger.archived": 5, "ledger.quarantined": 1, "ledger.missing": 2}
    for run_id in ("it has closed", "it is counted again"):
        with suppress(ReportedFailure):
            run(run_id)
        assert metrics == {**counters, "ledger.unbalanced_hours": 1}


def test_an_open_hour_is_stored_and_fails_nothing(ledger: Ledger) -> None:
    ledger.found[HOUR] = {**LOST, "is_open": True}
    assert run()["still_unbalanced"] == []
    assert [(each.is_open, each.balanced) for each in ledger.stored] == [(True, False)]
    # A difference found while the hour was open counts as new when the hour has closed.
    ledger.found[HOUR] = LOST
    with pytest.raises(ReportedFailure):
        run("run 2")


def test_requested_hours_are_counted_for_both_streams_and_all_differences_reported(ledger: Ledger) -> None:
    ledger.found[HOUR] = LOST
    with pytest.raises(ReportedFailure):
        run("run 1")
    with pytest.raises(ReportedFailure):
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
    with pytest.raises(FormError, match=complaint):
        run(since=since, until=until)
    assert ledger.asked == {}


def test_an_alert_stays_short_and_says_how_much_it_leaves_out(ledger: Ledger) -> None:
    ledger.found = {HOUR + number * timedelta(hours=1): LOST for number in range(20)}
    with pytest.raises(ReportedFailure) as failure:
        run(since="2025-03-17T10:00:00Z", until="2025-03-18T05:59:00Z")
    assert "and 10 more, see CONSERVATION_LEDGER" in str(failure.value)
    assert len(str(failure.value).splitlines()) == 12


# --- quiet hours ------------------------------------------------------------------------------------------------------


class Scheduled:
    """Scheduled runs of the task, which keep their state with the ledger's asset."""

    def __init__(self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
        self.state: dict[str, Any] = {}
        self.has_records, self.leases = True, 0
        monkeypatch.setattr(reconcile, "pipe_status", lambda *_: {"executionState": "RUNNING"})
        monkeypatch.setattr(reconcile, "has_records", lambda *_: self.has_records)
        monkeypatch.setattr(reconcile, "one_writer", self._lease)
        ledger.known[HOUR] = LedgerRow(False, True, 0, datetime.now(UTC), None)

    @contextmanager
    def _lease(self, *_: Any) -> Iterator[None]:
        self.leases += 1
        yield

    def run(self, run_type: str = "scheduled") -> None:
        operator = ReconcileOperator(task_id="count", bucket="b", index_shards=1, asset=assets.LEDGER)
        store = SimpleNamespace(get=self.state.get, set=self.state.__setitem__)
        ti = SimpleNamespace(xcom_push=lambda key, value: None)
        operator.execute(
            {
                "run_id": "run", "ti": ti, "asset_state_store": {assets.LEDGER: store},
"outlet_events": defaultdict(lambda: SimpleNamespace(extra={})),
                "dag_run": SimpleNamespace(run_type=run_type),
            }  # type: ignore[typeddict-item]
        )  # fmt: skip


def test_a_quiet_hour_takes_no_lease_and_is_skipped(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    scheduled = Scheduled(ledger, monkeypatch)
    scheduled.run()
    assert scheduled.leases == 1
    scheduled.has_records = False
    for _ in range(3):
        with pytest.raises(AirflowSkipException, match="Nothing happened since"):
            scheduled.run()
    assert scheduled.leases == 1
    scheduled.run("manual")
    scheduled.has_records = True
    scheduled.run()
    assert scheduled.leases == 3


def test_what_the_archive_gets_while_an_hour_is_counted_makes_it_due_again(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}
    reading_began: list[datetime] = []

    def due(stream: str, *arguments: Any) -> list[datetime]:
        given[stream] = arguments[-1]
        return [HOUR]

    def read(*arguments: Any, **options: Any) -> Iterator[Balance]:
        reading_began.append(datetime.now(UTC))
        yield from ledger.reconcile_stream(*arguments, **options)

    monkeypatch.setattr(reconcile, "stored_lately", lambda s3, bucket, stream, now: f"objects of {stream}")
    monkeypatch.setattr(reconcile, "due_hours", due)
    monkeypatch.setattr(reconcile, "reconcile_stream", read)
    run()
    assert given == {stream: f"objects of {stream}" for stream in (names.CLICK_STREAM, TRUCKS)}
    assert ledger.known[HOUR].checked_at <= reading_began[-1]
