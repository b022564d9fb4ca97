"""Lambda's IteratorAge metric: how old the last record of an event is when its function receives it.

On AWS, Lambda reports it; MiniStack does not.  Dashboards and alarms read it in the same way from both.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from include.local.aws.rate_limited_log import RateLimitedLogger

# The shortest time between two puts, in seconds.
PUBLISH_INTERVAL = 5.0


@dataclass(slots=True)
class _Statistics:
    count: int
    total: float
    minimum: float
    maximum: float

    def add(self, value: float) -> None:
        self.count += 1
        self.total += value
        self.minimum = min(self.minimum, value)
        self.maximum = max(self.maximum, value)


class IteratorAge:
    """Collects ages, with one set of statistics per function, and puts them into CloudWatch every few seconds.

    It must never delay the delivery: where a put fails, the failure is logged and the statistics are dropped.
    """

    def __init__(self, cloudwatch: Any, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._cloudwatch = cloudwatch
        self._clock = clock
        self._lock = threading.Lock()
        self._collected: dict[str, _Statistics] = {}
        self._put_at = clock()
        self._log = RateLimitedLogger("metric IteratorAge")

    def observe(self, function_name: str, age: float) -> None:
        """Note that an event is sent to the function whose last record arrived ``age`` seconds ago."""
        milliseconds = max(0.0, age * 1000)
        with self._lock:
            if known := self._collected.get(function_name):
                known.add(milliseconds)
            else:
                self._collected[function_name] = _Statistics(1, milliseconds, milliseconds, milliseconds)

    def publish(self) -> None:
        """Put the statistics, at most once per PUBLISH_INTERVAL; raise nothing."""
        if self._clock() - self._put_at < PUBLISH_INTERVAL:
            return
        self._put_at = self._clock()
        with self._lock:
            collected, self._collected = self._collected, {}
        if not collected:
            return
        try:
            self._cloudwatch.put_metric_data(Namespace="AWS/Lambda", MetricData=_metric_data(collected))
        except (ClientError, BotoCoreError) as error:
            self._log.failed(str(error))
        else:
            self._log.recovered()


def _metric_data(collected: Mapping[str, _Statistics]) -> list[dict[str, Any]]:
    # One call takes at most 1,000 metrics; a laptop has fewer functions.
    return [
        {
            "MetricName": "IteratorAge",
            "Dimensions": [{"Name": "FunctionName", "Value": function_name}],
            "Unit": "Milliseconds",
            "StatisticValues": {
                "SampleCount": each.count,
                "Sum": each.total,
                "Minimum": each.minimum,
                "Maximum": each.maximum,
            },
        }
        for function_name, each in list(collected.items())[:1000]
    ]
