"""Instants in UTC and in the viewer's zone: clocks that go back, zones of half an hour, and devices' absurd clocks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace

import pandas as pd
import pytest

from dashboard import times
from dashboard.charts import axes

pytestmark = pytest.mark.unit


@pytest.fixture
def viewer_in(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts the viewer into a zone, and switches to it."""

    def put(zone: str | None, switch: str = times.IN_VIEWERS_ZONE) -> None:
        monkeypatch.setattr(times.st, "context", SimpleNamespace(timezone=zone))
        monkeypatch.setattr(times.st, "session_state", {times.ZONE: switch})

    return put


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "instant", "named"),
    [
        ("Asia/Kolkata", "2026-11-22T14:05:30.123", "2026-11-22 19:35:30 UTC+05:30"),
        ("Australia/Lord_Howe", "2026-07-01T00:00", "2026-07-01 10:30:00 UTC+10:30"),
        ("America/New_York", "2026-11-01T05:30", "2026-11-01 01:30:00 UTC-04:00"),
        # An hour later, the clocks say the same.
        ("America/New_York", "2026-11-01T06:30", "2026-11-01 01:30:00 UTC-05:00"),
        ("UTC", "2026-11-22T14:05:30", "2026-11-22 14:05:30 UTC"),
        (None, "2026-11-22T14:05:30", "2026-11-22 14:05:30 UTC"),
        ("Mars/Olympus_Mons", "2026-11-22T14:05:30", "2026-11-22 14:05:30 UTC"),
        ("../etc/passwd", "2026-11-22T14:05:30", "2026-11-22 14:05:30 UTC"),
        ("America/New_York", "0001-01-01T00:00", "0001-01-01 00:00:00 UTC"),
        ("Asia/Tokyo", "9999-12-31T23:59:59", "9999-12-31 23:59:59 UTC"),
    ],
)
def test_an_instant_names_its_zone(viewer_in: Callable[..., None], zone: str | None, instant: str, named: str) -> None:
    viewer_in(zone)
    assert times.named(utc(instant)) == named
    assert named.startswith(times.to_the_second(utc(instant)))


def test_the_zone_is_utc_until_a_person_switches(viewer_in: Callable[..., None]) -> None:
    viewer_in("Asia/Kolkata", times.IN_UTC)
    assert times.named(pd.Timestamp("2026-11-22T14:05:30.5", tz="UTC")) == "2026-11-22 14:05:30 UTC"
    assert times.titled("Started") == "Started, UTC"
    assert times.typed("2026-11-22 14:05:30") == utc("2026-11-22T14:05:30")


def test_a_typed_instant_is_in_the_zone_that_is_shown(viewer_in: Callable[..., None]) -> None:
    viewer_in("Asia/Kolkata")
    assert times.typed(" 2026-11-22 19:35:30 ") == utc("2026-11-22T14:05:30")
    assert times.typed("2026-11-22T14:05:30+00:00") == utc("2026-11-22T14:05:30")
    assert times.typed("0001-01-01") is None
    assert times.typed("yesterday") is None
    # As it is shown, so it can be typed in again.
    instant = datetime(2026, 3, 29, 2, 15, tzinfo=timezone(timedelta(hours=1)))
    assert times.typed(times.to_the_second(instant)) == instant


def test_columns_and_charts_follow_the_switch(viewer_in: Callable[..., None]) -> None:
    viewer_in("Europe/Berlin")
    column = times.column("Started", precision="minutes")
    assert column["label"] == "Started, Europe/Berlin"
    assert column["type_config"]["timezone"] == "Europe/Berlin"
    assert column["type_config"]["format"] == "YYYY-MM-DD HH:mm Z"
    axis, tooltip = axes.time_axis("t", "started").to_dict(), axes.when("t", "started").to_dict()
    assert (axis["title"], axis["scale"]["type"]) == ("started, Europe/Berlin", "time")
    assert (tooltip["title"], tooltip["timeUnit"]) == (
        "started, Europe/Berlin",
        "yearmonthdatehoursminutesseconds",
    )
    viewer_in("Europe/Berlin", times.IN_UTC)
    assert times.column("Started")["type_config"]["format"] == "YYYY-MM-DD HH:mm:ss"
    assert axes.time_axis("t").to_dict()["title"] == "UTC"
    assert axes.when("t").to_dict()["timeUnit"].startswith("utc")
