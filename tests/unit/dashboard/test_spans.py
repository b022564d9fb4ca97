"""Spans of time and their slices."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dashboard.spans import EARLIEST, LATEST, Span, between, newest

pytestmark = pytest.mark.unit

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def around(hours: float, other: float) -> Span:
    return Span(NOON + timedelta(hours=hours), NOON + timedelta(hours=other))


def test_a_span_moves_and_zooms() -> None:
    span = around(0, 4)
    assert span.zoomed_in() == around(1, 3)
    assert span.zoomed_out() == around(-2, 6)
    assert span.earlier() == around(-2, 2)
    assert span.later() == around(2, 6)


@pytest.mark.parametrize("span", [Span(EARLIEST, NOON), Span(NOON, LATEST), Span(EARLIEST, LATEST)])
def test_the_calendar_has_ends(span: Span) -> None:
    for moved in (span.zoomed_in(), span.zoomed_out(), span.earlier(), span.later()):
        assert EARLIEST <= moved.since < moved.until <= LATEST


@pytest.mark.parametrize("at", [EARLIEST, NOON, LATEST])
def test_a_span_of_one_instant_can_be_drawn(at: datetime) -> None:
    span = between(at, at)
    assert span.since <= at <= span.until
    assert span.length > timedelta()
    assert between(NOON, at) == between(at, NOON)


@pytest.mark.parametrize("length", [timedelta(milliseconds=10), timedelta(seconds=1), timedelta(hours=5, seconds=7)])
def test_slices_cover_the_span(length: timedelta) -> None:
    span = Span(NOON, NOON + length)
    width = span.slice_width(120)
    assert width % timedelta(milliseconds=1) == timedelta()
    # Its last instant is in one of them.
    assert length // width < 120


def test_the_newest_span_moves_in_steps() -> None:
    spans = [newest(timedelta(hours=1), NOON + timedelta(seconds=second), 30) for second in (0, 29, 30)]
    assert spans[0] == spans[1] != spans[2]
    assert spans[0].until == NOON + timedelta(seconds=30)
    assert spans[0].length == timedelta(hours=1)
