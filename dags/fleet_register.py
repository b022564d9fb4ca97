"""
### Changes the register of the fleet

**From** a form **to** `KNOWN_TRUCKS` or `TRACKER_ASSIGNMENTS`: registers a truck, retires one, assigns the readings of
a tracker to another truck from an instant on, or undoes such an assignment. By default it only shows what would
change: how many readings move, and how many versions each history has before and after.

Neither RAW nor `TRUCK_TELEMETRY_DATA` is written. The view `TRUCK_HISTORY` applies the assignments, so undoing one
leaves no trace (docs/fleet-register.md).

- **Safe to run again?** Yes: the same change again has no effect. Each run is one transaction.
- **When it fails:** the log says which field of the form can't be used, or what the register already has. Nothing was
  changed.
- **Can it be ignored?** No: somebody made a decision that is not applied yet.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param
from clicks_to_deliveries.defaults import dag_arguments
from clicks_to_deliveries.operators.change_register import ChangeRegisterOperator
from clicks_to_deliveries.params import optional_time, reported_id, truck_id, unquoted

from include import names
from include.register import ACTIONS, REGISTER

PLAN = {
    "action": Param(REGISTER, type="string", enum=list(ACTIONS), title="Do"),
    "truck_id": truck_id("Truck", "The truck to register or retire, or that gets the readings.", is_optional=True),
    "reported_id": reported_id("Reported id", "For an assignment: the id that the tracker reports.", is_optional=True),
    "since": optional_time(
        "At or after",
        "When the truck left, or the first event time of an assignment (empty: all). UTC if without offset.",
    ),
    "until": optional_time("Before", "End of an assignment (empty: open). UTC if without offset."),
    "decided_by": Param(None, type=["null", "string"], title="Decided by", description="For an assignment."),
    "reason": Param(None, type=["null", "string"], title="Reason", description="For an assignment."),
}

with DAG(
    dag_id=names.dag("fleet_register"),
    doc_md=__doc__,
    schedule=None,
    params=PLAN | {"dry_run": Param(True, type="boolean", title="Dry run", description="Switch off to change it.")},
    user_defined_filters={"unquoted": unquoted},
    **dag_arguments(
        __file__,
        title="Fleet register",
        tags={"truck-telemetry", "fleet"},
        run_timeout=timedelta(hours=1),
        task_timeout=timedelta(minutes=20),
    ),
):
    ChangeRegisterOperator(
        task_id="change",
        plan={name: f"{{{{ params['{name}'] or '' }}}}" for name in PLAN}
        | {"reported_id": "{{ (params.reported_id or '') | unquoted }}"},
        show_only="{{ params.dry_run }}",
    )
