"""The outbox of failed runs, in Airflow's metadata database: it is up whenever a task runs, also when Snowflake is not.

Its rows are Variables, so the page Variables of Airflow shows what was not sent:

    unsent_alert.run.<dag>.<run>     how a run ended (run_notes.py); becomes an alert, or nothing
    unsent_alert.message.<hash>      an alert that some channel still has to get
    unsent_alert.findings.<dag>.<run>  a run that stored alerts in Snowflake, which are to be sent from there
    alerted_outage.<dag>             a DAG whose runs fail, as people know
    alert_listener                   the last run of send_alerts that the listener in the scheduler saw
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from hashlib import sha256
from typing import Protocol

import msgspec
from airflow.sdk import Variable

from include import names, naming
from include.alerts import Alert, Links
from include.alerts.run_outages import Outage, RunNote, judge

RUN_PREFIX = f"{names.UNSENT_ALERT_PREFIX}run."
MESSAGE_PREFIX = f"{names.UNSENT_ALERT_PREFIX}message."
FINDINGS_PREFIX = f"{names.UNSENT_ALERT_PREFIX}findings."
OUTAGE_PREFIX = naming.airflow("alerted_outage.")
LISTENER_KEY = naming.airflow("alert_listener")
SENDER = names.dag("send_alerts")
NO_LISTENER = (
    "the plugin clicks_to_deliveries is not loaded in the scheduler: failed runs are not stored, and nobody is "
    "notified of them (docs/runbooks/send_alerts.md)"
)


class Rows(Protocol):
    """Texts by key."""

    def keys(self, prefix: str) -> list[str]: ...
    def get(self, key: str) -> str | None: ...
    def put(self, key: str, value: str) -> None: ...
    def delete(self, key: str) -> None: ...


class Variables:
    """Airflow's Variables as rows."""

    def keys(self, prefix: str) -> list[str]:
        return list(Variable.keys(prefix=prefix))

    def get(self, key: str) -> str | None:
        value: str | None = Variable.get(key, default=None)
        return value

    def put(self, key: str, value: str) -> None:
        Variable.set(key, value, description="People were not notified of this yet, or of its end. See send_alerts.")

    def delete(self, key: str) -> None:
        Variable.delete(key)


def is_in_outage(rows: Rows, dag_id: str) -> bool:
    """Whether people know, or will be notified, that runs of this DAG fail: its next success is news."""
    return rows.get(f"{OUTAGE_PREFIX}{dag_id}") is not None or bool(rows.keys(f"{RUN_PREFIX}{dag_id}."))


class RunOutbox:
    """Alerts about runs.  One task at a time uses it (max_active_runs)."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def has_listener(self, run_id: str) -> bool:
        """Whether the listener saw the run ``run_id`` of send_alerts start.  If not, that is stored as a failed run."""
        if self._rows.get(LISTENER_KEY) == run_id:
            return True
        note = RunNote(
            dag_id=SENDER,
            run_id=run_id,
            failed=True,
            ended_at=datetime.now(UTC),
            tasks=("no failed run is stored",),
            error=NO_LISTENER,
        )
        self._rows.put(f"{RUN_PREFIX}{SENDER}.listener", msgspec.json.encode(note).decode())
        return False

    def collect(self, links: Links) -> None:
        """Turn the notes of runs into alerts.

        For each DAG: store the alerts, then the outage, then delete the notes.  After a crash in between, the next call
        starts from the same notes, and stores the same alerts under the same keys or finds them accounted for.
        """
        by_dag: dict[str, dict[str, RunNote]] = defaultdict(dict)
        for key in self._rows.keys(RUN_PREFIX):
            if text := self._rows.get(key):
                note = msgspec.json.decode(text, type=RunNote)
                by_dag[note.dag_id][key] = note
        for dag_id, notes in by_dag.items():
            outage_key = f"{OUTAGE_PREFIX}{dag_id}"
            stored = self._rows.get(outage_key)
            before = msgspec.json.decode(stored, type=Outage) if stored else None
            alerts, outage = judge(notes.values(), before, links, datetime.now(UTC))
            for alert in alerts:
                self._put(alert)
            if outage:
                self._rows.put(outage_key, msgspec.json.encode(outage).decode())
            elif before:
                self._rows.delete(outage_key)
            # In the order of time: what is left after a crash never ends before it begins.
            for key in sorted(notes, key=lambda key: notes[key].ended_at):
                self._rows.delete(key)

    def add(self, alert: Alert) -> None:
        """Store an alert about something else than a run, as not yet sent."""
        self._put(alert)

    def unsent(self) -> list[Alert]:
        texts = filter(None, map(self._rows.get, self._rows.keys(MESSAGE_PREFIX)))
        return sorted((msgspec.json.decode(text, type=Alert) for text in texts), key=lambda alert: alert.stored_at)

    def record(self, alert: Alert, *, is_sent: bool) -> None:
        if is_sent:
            self._rows.delete(_key(alert))
        else:
            self._put(alert)

    def _put(self, alert: Alert) -> None:
        self._rows.put(_key(alert), msgspec.json.encode(alert).decode())


def _key(alert: Alert) -> str:
    # The id holds a run's id, which may be too long for a key.
    return f"{MESSAGE_PREFIX}{sha256(alert.alert_id.encode()).hexdigest()[:32]}"
