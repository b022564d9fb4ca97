"""
### Sends synthetic clicks and truck telemetry

**From** a seeded simulation (items with changing popularity, trucks that really drive) **to** the Kinesis streams
`ClickDataStream` and `TruckTelemetry`, in real time. Started by hand with the form, or by `CTD_TRAFFIC_SCHEDULE`;
not for production, where devices do it.

- **Safe to run again?** Yes, but it is no repetition: a run sends new records, and the trucks drive on from where
  they are.
- **When it fails:** the log has what Kinesis refused. What was sent stays sent, and is in the manifest if one was
  asked for.
- **To be ignored?** Yes: no customer's data is missing.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param
from clicks_to_deliveries.defaults import dag_arguments
from clicks_to_deliveries.operators.generate_traffic import GenerateTrafficOperator

from include.settings import settings

# A scheduled run sends for so long at its rates: less than the minute until the next one.
SECONDS = 50


def count(default: int, title: str, least: int = 0) -> Param:
    return Param(default, type="integer", minimum=least, title=title)


def rate(default: float, title: str) -> Param:
    return Param(default, type="number", exclusiveMinimum=0, maximum=15_625, title=title)


def share(title: str, description: str) -> Param:
    return Param(0.0, type="number", minimum=0, maximum=1, title=title, description=description)


PARAMS = {
    "clicks": count(SECONDS * settings().traffic_clicks_per_second, "Clicks to send"),
    "readings": count(SECONDS * settings().traffic_readings_per_second, "Truck readings to send"),
    "clicks_per_second": rate(settings().traffic_clicks_per_second, "Clicks a second"),
    "readings_per_second": rate(settings().traffic_readings_per_second, "Readings a second"),
    "trucks": count(3, "Trucks in the fleet", least=1),
    "items": count(3, "Items in the catalogue", least=1),
    "seed": count(1, "Seed of all chance"),
    "duplicated": share("Share duplicated", "The same bytes again."),
    "late": share("Share late", "Events of 1 to 20 minutes ago."),
    "out_of_order": share("Share out of order", "Sent after younger ones."),
    "malformed": share("Share malformed", "Records that break the contract."),
    "nested": share("Share nested", "Readings in the nested shape."),
    "manifest": Param(
        None,
        type=["null", "string"],
        title="Manifest",
        description="File, on the worker, to which what was sent is appended: the truth that checks compare with.",
    ),
}

with DAG(
    dag_id="generate_traffic",
    doc_md=__doc__,
    schedule=settings().traffic_schedule,
    params=PARAMS,
    render_template_as_native_obj=True,
    **dag_arguments(
        runbook="docs/runbooks/generate_traffic.md",
        tags={"traffic"},
        run_timeout=timedelta(hours=2),
        task_timeout=timedelta(hours=1),
        # A retry would send everything again.
        retries=0,
    ),
):
    GenerateTrafficOperator(task_id="generate", plan={name: f"{{{{ params['{name}'] }}}}" for name in PARAMS})
