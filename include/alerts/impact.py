"""How bad it is when a DAG's runs fail, and for whom.  Only these DAGs alert: Airflow may run those of others too."""

from __future__ import annotations

from types import MappingProxyType

import msgspec

from include import names, naming
from include.alerts.alert import Severity


class Impact(msgspec.Struct, frozen=True):
    """How bad a failure is, and what it means."""

    severity: Severity
    meaning: str


_BY_FILE = {
    "send_alerts": Impact("critical", "alerts reach people late, or not at all while this lasts"),
    "scd2_merge": Impact("error", "the truck history and the dashboard show old data"),
    "monitor_snowpipe": Impact("error", "nobody notices readings that reach RAW late or not at all"),
    "data_quality": Impact("error", "nobody notices wrong data"),
    "reconcile": Impact("error", "nobody notices lost records"),
    "provision_resources": Impact("error", "a change is deployed in part"),
    "repair_history": Impact("error", "the truck history stays wrong"),
    "erase_truck": Impact("error", "a truck that must be erased is still stored"),
    "check_erasures": Impact("warning", "no message says when the last copy of an erased truck is gone"),
    "replay": Impact("warning", "records stay in quarantine"),
    "fleet_register": Impact("warning", "a decision about the fleet is not applied"),
    "teardown_resources": Impact("warning", "a stack that is half deleted still costs money"),
    "clean_metadata": Impact("warning", "Airflow's own database grows, which makes it slower in weeks"),
    "generate_traffic": Impact("warning", "no synthetic records are sent"),
}
#: DAG -> impact.
IMPACTS = MappingProxyType({names.dag(file): impact for file, impact in _BY_FILE.items()})


def runbook_of(dag_id: str) -> str:
    """Return the path of the DAG's page in the repository."""
    return f"docs/runbooks/{dag_id.removeprefix(naming.airflow(''))}.md"
