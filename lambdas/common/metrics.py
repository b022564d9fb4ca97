"""What an invocation reports to CloudWatch: one blob in the embedded metric format, a log line that becomes metrics.

The metrics have one dimension, ``service``: the function's name.  Only acknowledged batches are counted, because others
are delivered again and would be counted twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypedDict

from aws_lambda_powertools.metrics import Metrics

from include import names

# Records that are durable in their sink or in quarantine.
PROCESSED = "Processed"
# There is also one metric per reason, Quarantined.<reason>: as a dimension, each reason would need a blob of its own.
QUARANTINED = "Quarantined"
# Readings in which a metric was nulled, one CloudWatch metric per metric: Nulled.<metric>.
NULLED = "Nulled"
# Records that repeat another one of their batch: the same click, or a reading of the same truck and instant.
DUPLICATES = "Duplicates"
# Milliseconds from the arrival of the batch's oldest record until the function finished with the batch.
OLDEST_LAG = "OldestLag"

_metrics = Metrics(namespace=names.METRICS_NAMESPACE)


class BatchCounts(TypedDict):
    """The records of one batch: how many came, how many are duplicates, and how many are in quarantine by reason."""

    received: int
    duplicates: int
    quarantined: dict[str, int]


def acknowledged(
    counts: BatchCounts, oldest_lag_seconds: float | None, nulled: Mapping[str, int] = MappingProxyType({})
) -> None:
    """Report an acknowledged batch, and in how many of its readings each metric was ``nulled``."""
    _metrics.add_metric(PROCESSED, "Count", counts["received"])
    _metrics.add_metric(DUPLICATES, "Count", counts["duplicates"])
    # Zero is reported too: it tells "no quarantine" from "no traffic".
    _metrics.add_metric(QUARANTINED, "Count", sum(counts["quarantined"].values()))
    for reason, count in counts["quarantined"].items():
        _metrics.add_metric(f"{QUARANTINED}.{reason}", "Count", count)
    for metric, count in nulled.items():
        _metrics.add_metric(f"{NULLED}.{metric}", "Count", count)
    _add_lag(oldest_lag_seconds)
    _metrics.flush_metrics()


def not_acknowledged(oldest_lag_seconds: float | None) -> None:
    """Report a batch that will be delivered again: only its age, no counts."""
    if oldest_lag_seconds is not None:
        _add_lag(oldest_lag_seconds)
        _metrics.flush_metrics()


def _add_lag(seconds: float | None) -> None:
    if seconds is not None:
        _metrics.add_metric(OLDEST_LAG, "Milliseconds", round(seconds * 1000))
