"""How far behind a consumer is: no measurement is not a lag of zero, and a setting may disable a mapping."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd
import pytest

from dashboard import data, stream_lag

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("seconds", "age", "word"),
    [
        (0.0, 10, "keeps up"),
        (60.0, 10, "keeps up"),
        (61.0, 10, "late"),
        (301.0, 10, "very late"),
        (0.0, 301, "no measurement now"),
        (999.0, 301, "no measurement now"),
    ],
)
def test_the_level_of_a_lag(now: datetime, seconds: float, age: int, word: str) -> None:
    measured = stream_lag.StreamLag(pd.Timestamp(now - timedelta(seconds=age)), seconds)
    assert stream_lag.level(measured).word == word


def test_nothing_measured_is_no_measurement(now: datetime) -> None:
    nothing = pd.DataFrame(columns=["stream", "kind", "minute", "seconds"])
    assert stream_lag.newest(nothing, "s", data.RECEIVED) is None
    assert stream_lag.newest(None, "s", data.RECEIVED) is None
    assert stream_lag.level(None).word == "no measurement now"
    assert stream_lag.measured(None) == "no measurement"


@pytest.mark.parametrize(
    ("state", "result", "expected", "word", "colour"),
    [
        ("Enabled", "OK", True, "mapping enabled", "blue"),
        ("Updating", "", True, "mapping updating", "blue"),
        ("Enabled", "PROBLEM: Function call failed", True, "delivery fails", "red"),
        ("Disabled", "No records processed", True, "mapping disabled", "red"),
        ("Disabled", "No records processed", False, "mapping disabled, as set", "gray"),
        (None, "", True, "no mapping", "red"),
        (None, "", False, "no mapping", "red"),
    ],
)
def test_whether_a_mapping_delivers(state: str | None, result: str, expected: bool, word: str, colour: str) -> None:
    found = stream_lag.of_mapping(data.StreamMapping("s", "f", state, result, None), expected)
    assert (found.word, found.colour) == (word, colour)
