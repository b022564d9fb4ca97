"""What an invocation tells CloudWatch: one blob of the embedded metric format, a log line that becomes metrics.

Their one dimension is ``service``, the function's name.  Counts are of acknowledged batches only: a batch that is
delivered again would be counted again.  Powertools writes the format: the functions have its Logger already, and it
adds less to a cold start than two runs differ by.  A call of PutMetricData would be one more store that can fail.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.metrics import Metrics

from include import names

# Records that are durable where they belong, quarantine included.
PROCESSED = "Processed"
# Also one metric a reason, Quarantined.<reason>: as a dimension it would take one blob a reason.
QUARANTINED = "Quarantined"
# Records that say again what another one of their batch says: the same click, or a reading of the same truck's instant.
DUPLICATES = "Duplicates"
# Milliseconds from the arrival of the batch's oldest record to the moment that all was durable, or was given up.
OLDEST_LAG = "OldestLag"

_metrics = Metrics(namespace=names.METRICS_NAMESPACE)


def acknowledged(counts: Mapping[str, Any]) -> None:
    """Reports a batch that is done, from what its summary line says of it."""
    _metrics.add_metric(PROCESSED, "Count", counts["received"])
    _metrics.add_metric(DUPLICATES, "Count", counts["duplicates"])
    # Zero too: then no quarantine and no traffic look different.
    _metrics.add_metric(QUARANTINED, "Count", sum(counts["quarantined"].values()))
    for reason, count in counts["quarantined"].items():
        _metrics.add_metric(f"{QUARANTINED}.{reason}", "Count", count)
    _add_lag(counts)
    _metrics.flush_metrics()


def not_acknowledged(counts: Mapping[str, Any]) -> None:
    """Reports a batch that is delivered again: nothing of it is counted, it only gets older."""
    if _add_lag(counts):
        _metrics.flush_metrics()


def _add_lag(counts: Mapping[str, Any]) -> bool:
    lag = counts["oldest_lag_seconds"]
    if lag is not None:
        _metrics.add_metric(OLDEST_LAG, "Milliseconds", round(lag * 1000))
    return lag is not None
