"""The thresholds of implausible readings: valid for the contract, and shown with their sources."""

from pathlib import Path

import pytest

from include import plausibility
from include.contracts import METRICS

pytestmark = pytest.mark.unit

PAGE = Path(__file__).parents[2] / "docs" / "plausibility.md"


def test_the_page_has_every_threshold_with_its_source():
    text = PAGE.read_text()
    for each in plausibility.THRESHOLDS:
        assert f"| `{each.name}` | {f'{each.value:g} {each.unit}'.strip()} | {each.source} |" in text
    for each in plausibility.SENTINELS:
        assert f"| `{each.metric}` | {each.low:g} to {each.high:g} | {each.source} |" in text
    for each in plausibility.STEADY:
        assert f"| `{each.metric}` | {each.versions} | {each.source} |" in text
    assert text.count("\n| `") == len(plausibility.THRESHOLDS + plausibility.SENTINELS + plausibility.STEADY)


def test_metrics_are_those_of_the_contract_and_sentinels_within_its_range():
    ranges = {metric.name: metric for metric in METRICS}
    assert {each.metric for each in plausibility.STEADY} <= ranges.keys()
    for sentinel in plausibility.SENTINELS:
        metric = ranges[sentinel.metric]
        assert metric.minimum <= sentinel.low < sentinel.high <= metric.maximum
