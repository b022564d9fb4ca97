"""
### Puts quarantined records through their function again

**From** `quarantine/` in the telemetry bucket **to** where the records belong: the function of their stream is invoked
with their original envelopes. What succeeds moves to `quarantine-resolved/`, with its history; what is still invalid
stays, with the attempt in its history. Started by hand with the form, after a fix; by default it only counts.

First it takes in what is left under `aws/lambda/`: batches that an event source mapping gave up on.

- **Safe to run again?** Yes, any number of times, and after being killed: records are resolved once, and what was
  written before is written over with the same.
- **When it fails:** the alert has the counts and the first errors. `raised`: the function fails on those records, see
  its log. `refused`: a store or Lambda did not take them; run it again later. Nothing has left quarantine unanswered.
- **To be ignored?** A run that found records still invalid does not fail. A failed one: until somebody wants those
  records.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param
from clicks_to_deliveries.defaults import dag_arguments
from clicks_to_deliveries.operators.replay_quarantine import ReplayQuarantineOperator

from include import names
from include.settings import settings


def moment(title: str) -> Param:
    return Param(None, type=["null", "string"], format="date-time", title=title, description="UTC if without offset.")


PARAMS = {
    "streams": Param(
        [names.CLICK_STREAM, names.TRUCK_STREAM],
        type="array",
        items={"type": "string", "enum": [names.CLICK_STREAM, names.TRUCK_STREAM]},
        examples=[names.CLICK_STREAM, names.TRUCK_STREAM],
        title="Streams",
    ),
    "reasons": Param(
        [],
        type="array",
        items={"type": "string"},
        title="Reasons",
        description="None: all but key_conflict, which overwrites the click that was kept and must be named.",
    ),
    "since": moment("Arrived at or after"),
    "until": moment("Arrived before"),
    "limit": Param(10_000, type="integer", minimum=1, title="Records at most", description="The earliest first."),
    "dry_run": Param(True, type="boolean", title="Only count", description="Switch off to replay."),
}

with DAG(
    dag_id="replay",
    doc_md=__doc__,
    schedule=None,
    params=PARAMS,
    render_template_as_native_obj=True,
    **dag_arguments(
        runbook="docs/runbooks/replay.md",
        tags={"quarantine"},
        run_timeout=timedelta(hours=2),
        task_timeout=timedelta(hours=1),
    ),
):
    ReplayQuarantineOperator(
        task_id="replay",
        bucket=settings().telemetry_bucket,
        plan={name: f"{{{{ params['{name}'] }}}}" for name in PARAMS if name != "dry_run"},
        dry_run="{{ params['dry_run'] }}",
    )
