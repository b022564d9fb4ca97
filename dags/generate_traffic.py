"""
### Sends synthetic clicks and truck telemetry

**From** a seeded simulation (items with changing popularity, trucks that drive from place to place) **to** the Kinesis
streams `ClickDataStream` and `TruckTelemetry`, in real time. Start it by hand with the form, or set
`CTD_TRAFFIC_SCHEDULE`. Not for production, where devices send the records.

- **Safe to run again?** Yes, but it does not repeat itself: each run sends new records, and the trucks drive on from
  where they are. A try that was cut off (a lost worker, Kinesis away) is followed by one that sends the rest, and says
  so in its log.
- **When it fails:** the log says what Kinesis refused. Records that were sent stay sent, and are in the manifest if you
  asked for one.
- **Can it be ignored?** Yes: no customer's data is missing.
"""

from __future__ import annotations

from datetime import timedelta
from typing import get_args

from airflow.sdk import DAG, Param
from clicks_to_deliveries.defaults import dag_arguments
from clicks_to_deliveries.operators.generate_traffic import GenerateTrafficOperator

from include import assets, names
from include.generator.field_cases import Selection
from include.settings import settings

# How long a scheduled run sends at its rates: less than the minute until the next run.
SECONDS = 50


def count(default: int, title: str, least: int = 0) -> Param:
    return Param(default, type="integer", minimum=least, title=title)


def rate(default: float, title: str) -> Param:
    return Param(default, type="number", exclusiveMinimum=0, maximum=15_625, title=title)


def share(title: str, description: str, default: float = 0.0) -> Param:
    return Param(default, type="number", minimum=0, maximum=1, title=title, description=description)


PARAMS = {
    "clicks": count(SECONDS * settings().traffic_clicks_per_second, "Clicks to send"),
    "readings": count(SECONDS * settings().traffic_readings_per_second, "Truck readings to send"),
    "clicks_per_second": rate(settings().traffic_clicks_per_second, "Clicks per second"),
    "readings_per_second": rate(settings().traffic_readings_per_second, "Readings per second"),
    "trucks": count(3, "Trucks in the fleet", least=1),
    "items": count(3, "Items in the catalogue", least=1),
    "seed": count(1, "Random seed"),
    "duplicated": share("Share duplicated", "The same bytes, sent again."),
    "late": share("Share late", "Events from 1 to 20 minutes ago."),
    "out_of_order": share("Share out of order", "Sent after newer events."),
    "malformed": share("Share malformed", "Records that break the contract."),
    "field": share(
        "Share from the field",
        "As real devices and other producers send them, right and wrong (docs/producers.md).",
        settings().traffic_field_share,
    ),
    "field_cases": Param(
        "passing",
        enum=list(get_args(Selection)),
        title="Cases from the field",
        description="Passing: without new trucks, events of other decades and absurd counts, which every page keeps.",
    ),
    "nested": share("Share nested", "Readings in the nested shape."),
    "event_ids": share("Share with event ids", "Clicks with an event id, and with times in milliseconds."),
    "manifest": Param(
        None,
        type=["null", "string"],
        title="Manifest",
        description="A file on the worker. Every record that is sent is appended, so that checks can compare.",
    ),
}

with DAG(
    dag_id=names.dag("generate_traffic"),
    doc_md=__doc__,
    schedule=settings().traffic_schedule,
    params=PARAMS,
    render_template_as_native_obj=True,
    **dag_arguments(
        __file__,
        title="Synthetic traffic",
        tags={"traffic"},
        run_timeout=timedelta(hours=2),
        task_timeout=timedelta(hours=1),
    ),
):
    GenerateTrafficOperator(
        task_id="generate",
        plan={name: f"{{{{ params['{name}'] }}}}" for name in PARAMS},
        outlets=[assets.CLICKS, assets.READINGS],
    )
