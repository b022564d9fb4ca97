"""The metric policy as the settings write it: two texts, ``null_out_of_range`` and ``metric_decimals``."""

from __future__ import annotations

from collections.abc import Iterable

from include.contracts.metric_policy import MetricPolicy
from include.contracts.telemetry import METRICS

# In place of the names of all metrics.
ALL = "all"
MAX_DECIMALS = 9

_NAMES = frozenset(metric.name for metric in METRICS)
_NUMBERS = frozenset(metric.name for metric in METRICS if metric.kind == "number")


class MetricPolicyError(ValueError):
    """A text is not a part of a policy; the message names the setting, the text and the rule."""


def read_metric_policy(null_out_of_range: str, metric_decimals: str) -> MetricPolicy:
    """Return the policy of two texts; an empty one stands for the default.

    Args:
        null_out_of_range: names of metrics, separated by commas, or ``all``: ``gps_latitude, gps_longitude``.
        metric_decimals: metrics and their decimals (0 to 9), separated by commas: ``gps_latitude=5, gps_longitude=5``.

    Raises:
        MetricPolicyError: a text has another form, or names no metric of the contract.
    """
    return MetricPolicy(_nulled(null_out_of_range), _decimals(metric_decimals))


def _nulled(text: str) -> frozenset[str]:
    names = frozenset(_parts(text))
    if names == {ALL}:
        return _NAMES
    _check_names("null_out_of_range", text, names, _NAMES)
    return names


def _decimals(text: str) -> dict[str, int]:
    decimals: dict[str, int] = {}
    for part in _parts(text):
        name, _, number = (each.strip() for each in part.partition("="))
        if name in decimals:
            raise MetricPolicyError(f"metric_decimals={text!r}: {name} is given twice")
        if not (len(number) == 1 and number.isascii() and number.isdigit()):
            rule = f"each part is <metric>=<decimals>, with 0 to {MAX_DECIMALS} decimals"
            raise MetricPolicyError(f"metric_decimals={text!r}: {part!r} is unusable; {rule}")
        decimals[name] = int(number)
    _check_names("metric_decimals", text, decimals, _NUMBERS)
    return decimals


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")] if text.strip() else []


def _check_names(setting: str, text: str, names: Iterable[str], known: frozenset[str]) -> None:
    if unknown := sorted(set(names) - known):
        raise MetricPolicyError(f"{setting}={text!r}: {unknown[0]!r} is not one of {', '.join(sorted(known))}")
