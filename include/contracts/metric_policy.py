"""How a deployment treats metrics that a device sends outside their range, or with more decimals than it measures."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class MetricPolicy(msgspec.Struct, frozen=True):
    """Both parts are empty by default: a metric outside its range rejects its reading, and no value is rounded.

    ``null_out_of_range`` has the names of the metrics that are NULL in the reading instead; the reading names them and
    the value that was sent.  Only ``out_of_range`` is nulled: a value of another type still rejects the reading.
    ``decimals`` has the number of decimals by metric; others are kept as sent.
    """

    null_out_of_range: frozenset[str] = frozenset()
    decimals: Mapping[str, int] = {}


DEFAULT_METRIC_POLICY = MetricPolicy()
