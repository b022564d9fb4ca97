"""What a task says about the data that it changed, with the asset events of its end and in its lineage."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseOperator, Context

from clicks_to_deliveries.operators.lineage import WithLineage


def describe_outlets(task: BaseOperator, context: Context, **facts: Any) -> None:
    """Put ``facts``, such as numbers of rows, into the asset event of each of the task's outlets."""
    if isinstance(task, WithLineage):
        task.written = facts
    for asset in task.outlets:
        context["outlet_events"][asset].extra.update(facts)
