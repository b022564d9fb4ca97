"""
### Replays quarantined records through their function

**From** `quarantine/` in the telemetry bucket **to** the sinks of the records: it invokes the function of their stream
with the original envelopes. A record that succeeds moves to `quarantine-resolved/`, with its history. A record that is
still invalid stays, and its history gets the attempt. Start it by hand with the form, after a fix. By default it only
counts.

First it moves the batches under `aws/lambda/`, which an event source mapping gave up on, to quarantine.

- **Safe to run again?** Yes, any number of times, and after it was killed: records are resolved once, and writing one
  again writes the same.
- **When it fails:** the alert has the counts and the first errors. `raised` means that the function fails on those
  records: see its log. `refused` means that a store or Lambda did not accept them: run it again later. A record leaves
  quarantine only after the function accepted it.
- **Can it be ignored?** A run whose records are still invalid does not fail. You may ignore a failed run until somebody
  needs its records.
"""

from __future__ import annotations

from datetime import timedelta
from typing import get_args

from airflow.sdk import DAG, Param
from clicks_to_deliveries.defaults import dag_arguments
from clicks_to_deliveries.operators.replay_quarantine import ReplayQuarantineOperator
from clicks_to_deliveries.params import optional_time

from include import assets, names
from include.contracts import Reason
from include.contracts.quarantine import NOT_PROCESSED
from include.settings import settings

REASONS = [*get_args(Reason), NOT_PROCESSED]

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
        items={"type": "string", "enum": REASONS},
        examples=REASONS,
        title="Reasons",
        description="None: all except key_conflict, which overwrites the stored click and must be named.",
    ),
    "since": optional_time("Arrived at or after"),
    "until": optional_time("Arrived before"),
    "limit": Param(10_000, type="integer", minimum=1, title="Records at most", description="Earliest first."),
    "dry_run": Param(True, type="boolean", title="Only count", description="Switch off to replay."),
}

with DAG(
    dag_id=names.dag("replay"),
    doc_md=__doc__,
    schedule=None,
    params=PARAMS,
    render_template_as_native_obj=True,
    **dag_arguments(
        __file__,
        title="Replay quarantine",
        tags={"quarantine"},
        run_timeout=timedelta(hours=2),
        task_timeout=timedelta(hours=1),
    ),
):
    ReplayQuarantineOperator(
        task_id="replay",
        bucket=settings().telemetry_bucket,
        plan={name: f"{{{{ params['{name}'] }}}}" for name in PARAMS if name != "dry_run"},
        count_only="{{ params['dry_run'] }}",
        inlets=[assets.QUARANTINE],
    )
