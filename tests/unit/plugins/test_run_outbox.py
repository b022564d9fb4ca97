"""The fault table of failed runs: the sender dies at every possible moment, a channel is down, and no alert is lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from unittest.mock import MagicMock

import msgspec
import pytest
from airflow.sdk.exceptions import AirflowException
from clicks_to_deliveries.notifiers.run_outbox import (
    FINDINGS_PREFIX,
    LISTENER_KEY,
    MESSAGE_PREFIX,
    OUTAGE_PREFIX,
    RUN_PREFIX,
    RunOutbox,
)
from clicks_to_deliveries.operators import send_alerts
from clicks_to_deliveries.operators.send_alerts import SendAlertsOperator

from include.alerts import Alert, Links
from include.alerts.delivery import NotSentError, deliver
from include.alerts.run_outages import RunNote

pytestmark = pytest.mark.unit

START = datetime(2026, 11, 22, 12, tzinfo=UTC)
ALERT = Alert(alert_id="a", incident="i", state="failed", severity="error", headline="h", message="m", stored_at=START)


class Crash(BaseException):
    """The process is killed."""


class World:
    """Airflow's Variables, a channel, and a process that is killed before or after its n-th step outside itself."""

    name = "channel"

    def __init__(self, dies_at: int = -1) -> None:
        self.variables: dict[str, str] = {}
        self.received: list[Alert] = []
        self.is_down = False
        self._steps = count()
        self._dies_at = dies_at
        self._runs = count()

    def ends(self, dag_id: str, *, failed: bool) -> None:
        """What the scheduler stores with a run that ends."""
        number = next(self._runs)
        if not failed and not any(f"{dag_id}." in key or key == f"{OUTAGE_PREFIX}{dag_id}" for key in self.variables):
            return
        note = RunNote(dag_id=dag_id, run_id=f"run-{number}", failed=failed, ended_at=START + timedelta(minutes=number))
        self.variables[f"{RUN_PREFIX}{dag_id}.{number}.0"] = msgspec.json.encode(note).decode()

    def send_alerts(self) -> None:
        """One run of the task."""
        outbox = RunOutbox(self)
        outbox.collect(Links())
        deliver(outbox, [self])

    def keys(self, prefix: str) -> list[str]:
        return sorted(key for key in self.variables if key.startswith(prefix))

    def get(self, key: str) -> str | None:
        return self.variables.get(key)

    def put(self, key: str, value: str) -> None:
        self._step(lambda: self.variables.update({key: value}))

    def delete(self, key: str) -> None:
        self._step(lambda: self.variables.pop(key, None))

    def send(self, alert: Alert) -> None:
        if self.is_down:
            raise OSError("unreachable")
        self._step(lambda: self.received.append(alert))

    def _step(self, do: object) -> None:
        # Each step is two moments: before it, and after it.
        if next(self._steps) == self._dies_at:
            raise Crash
        do()  # type: ignore[operator]
        if next(self._steps) == self._dies_at:
            raise Crash

    @property
    def steps(self) -> int:
        return next(self._steps)

    def states(self, dag_id: str) -> list[str]:
        return [f"{alert.state} {alert.alert_id.split('/')[1]}" for alert in self.received if dag_id in alert.alert_id]


def story(world: World) -> None:
    """Two DAGs fail while the sender is called now and then; the process may die anywhere and is started again."""

    def send() -> None:
        try:
            world.send_alerts()
        except Crash:
            world.send_alerts()

    world.ends("scd2_merge", failed=True)
    world.ends("data_quality", failed=True)
    send()
    world.ends("scd2_merge", failed=True)
    world.ends("scd2_merge", failed=False)
    world.ends("scd2_merge", failed=True)
    send()
    world.ends("data_quality", failed=False)
    world.ends("scd2_merge", failed=False)
    send()
    send()


MERGE = ["failed run-0", "recovered run-3", "failed run-4", "recovered run-6"]
QUALITY = ["failed run-1", "recovered run-5"]


def test_without_a_crash_each_start_and_each_end_is_one_message_and_nothing_is_left() -> None:
    world = World()
    story(world)
    assert world.states("scd2_merge") == MERGE
    assert world.states("data_quality") == QUALITY
    assert world.variables == {}


def test_killed_at_any_moment_it_loses_nothing_and_repeats_at_most_one_message() -> None:
    calm = World()
    story(calm)
    moments = calm.steps
    assert moments >= 60
    for moment in range(moments):
        world = World(dies_at=moment)
        story(world)
        for dag_id, expected in (("scd2_merge", MERGE), ("data_quality", QUALITY)):
            assert list(dict.fromkeys(world.states(dag_id))) == expected, moment
        assert len(world.received) <= len(MERGE) + len(QUALITY) + 1, moment
        assert world.variables == {}, moment


def test_while_the_topic_is_down_for_an_hour_every_run_is_red_and_afterwards_an_outage_is_one_message() -> None:
    world = World()
    world.is_down = True
    for _ in range(12):
        world.ends("scd2_merge", failed=True)
        with pytest.raises(NotSentError):
            world.send_alerts()
        assert len(world.keys(MESSAGE_PREFIX)) == 1
    world.is_down = False
    world.send_alerts()
    world.send_alerts()
    assert world.states("scd2_merge") == ["failed run-0"]


def test_without_the_listener_the_sender_alerts_and_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    monkeypatch.setattr(send_alerts, "Variables", lambda: world)
    monkeypatch.setattr(send_alerts, "open_channels", lambda *_: [world])
    task = SendAlertsOperator(task_id="send", about="failed runs", channels="")
    for number in range(2):
        with pytest.raises(AirflowException, match="not loaded in the scheduler"):
            task.execute({"run_id": f"run-{number}"})
    assert [alert.headline for alert in world.received] == ["[failed] send_alerts: no failed run is stored"]
    # The plugin is installed, and the scheduler restarted.
    world.variables[LISTENER_KEY] = "run-2"
    assert task.execute({"run_id": "run-2"}) == 0
    world.ends("send_alerts", failed=False)
    world.send_alerts()
    assert [alert.state for alert in world.received] == ["failed", "recovered"]


@pytest.mark.parametrize(
    ("announced", "awake", "looks"), [(False, False, False), (True, False, True), (False, True, True)]
)
def test_findings_are_looked_for_only_if_a_run_stored_some_or_the_warehouse_runs(
    monkeypatch: pytest.MonkeyPatch, announced: bool, awake: bool, looks: bool
) -> None:
    world = World()
    if announced:
        world.variables[f"{FINDINGS_PREFIX}data_quality.1.0"] = "run-1"
    read: list[Any] = []
    monkeypatch.setattr(send_alerts, "Variables", lambda: world)
    monkeypatch.setattr(send_alerts, "connect", lambda *_: MagicMock())
    monkeypatch.setattr(send_alerts, "is_awake", lambda connection: awake)
    monkeypatch.setattr(send_alerts, "FindingsOutbox", lambda connection: read.append(connection) or RunOutbox(world))
    monkeypatch.setattr(send_alerts, "open_channels", lambda *_: [world])
    task = SendAlertsOperator(task_id="send", about="findings", channels="")
    world.is_down = True
    RunOutbox(world).add(ALERT)
    if looks:
        with pytest.raises(NotSentError):
            task.execute({"run_id": "run"})
        # Not sent, so still announced.
        assert any(key.startswith(FINDINGS_PREFIX) for key in world.variables) == announced
    world.is_down = False
    assert task.execute({"run_id": "run"}) == looks
    assert bool(read) == looks
    assert not any(key.startswith(FINDINGS_PREFIX) for key in world.variables)


def test_airflow_that_was_down_sends_what_waits_once_it_is_up() -> None:
    world = World()
    world.ends("scd2_merge", failed=True)
    before = dict(world.variables)
    # Nothing runs for a day.  The metadata database keeps the note, and the first run of the sender finds it.
    assert world.variables == before
    world.send_alerts()
    assert world.states("scd2_merge") == ["failed run-0"]
