"""The ranking of items, and the files that a spreadsheet opens."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from io import StringIO

import pandas as pd
import pytest

from dashboard import click_ranking, data, spreadsheet

pytestmark = pytest.mark.unit

SINCE = datetime(2026, 11, 22, 13, 30, tzinfo=UTC)
PERIOD = data.Period(SINCE, SINCE + timedelta(hours=1))
HUGE = 1024 * 2**53


def items(*rows: tuple[str, int, int]) -> pd.DataFrame:
    """From name, clicks and clicks before."""
    columns = ["item_id", "item_name", "clicks", "events", "clicks_before"]
    return pd.DataFrame(
        [(name, name, clicks, 1, before) for name, clicks, before in rows], columns=columns, dtype="object"
    )


def table(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(content.decode("utf-8-sig"))))


def test_items_are_ranked_by_clicks_with_their_change_and_share() -> None:
    ranking = click_ranking.ranked(items(("A", 0, 8), ("B", 30, 20), ("C", 60, 0), ("D", 30, 40), ("E", 0, 0)))
    shown = ["item_id", "rank", "rank_before", "share", "change", "change_share", "trend"]
    assert ranking[shown].to_dict("records") == [
        dict(zip(shown, row, strict=True))
        for row in (
            ("C", 1, None, 0.5, 60, None, "new"),
            ("B", 2, 2, 0.25, 10, 0.5, "▲ 50 %"),
            ("D", 2, 1, 0.25, -10, -0.25, "▼ 25 %"),
            ("A", None, 3, 0.0, -8, -1.0, "gone"),
            ("E", None, None, 0.0, 0, None, "same"),
        )
    ]


def test_a_ranking_of_huge_counts_is_exact() -> None:
    ranking = click_ranking.ranked(items(("A", HUGE, HUGE - 1), ("B", 3 * HUGE, 1)))
    assert list(ranking["change"]) == [3 * HUGE - 1, 1]
    assert list(ranking["share"]) == [0.75, 0.25]
    assert click_ranking.for_a_table(ranking["clicks"])[0] == f"{3 * HUGE:,}"
    (first, _) = table(click_ranking.ranking_file(ranking, PERIOD, PERIOD.before(PERIOD.length)))
    assert first["clicks"] == str(3 * HUGE)


def test_a_ranking_without_clicks_is_empty_or_has_no_shares() -> None:
    assert click_ranking.ranked(items()).empty
    assert list(click_ranking.ranked(items(("A", 0, 0)))["share"]) == [None]


@pytest.mark.parametrize(
    ("clicks", "before", "text"),
    [(101, 100, "▲ 1.0 %"), (0, 5, "gone"), (5, 0, "new"), (7, 7, "same"), (10**20, 1, "▲ 1.00 × 10²² %")],
)
def test_a_change_in_words(clicks: int, before: int, text: str) -> None:
    assert click_ranking.trend(clicks, before) == text


def test_a_file_has_the_numbers_shown_and_both_periods() -> None:
    ranking = click_ranking.ranked(items(("=1+1", 30, 20), ("B", 1, 0)))
    first, second = table(click_ranking.ranking_file(ranking, PERIOD, PERIOD.before(PERIOD.length)))
    assert first == {
        "from_utc": "2026-11-22T13:30:00Z",
        "until_utc": "2026-11-22T14:30:00Z",
        "before_from_utc": "2026-11-22T12:30:00Z",
        "before_until_utc": "2026-11-22T13:30:00Z",
        "rank": "1",
        "rank_before": "1",
        "item_id": "'=1+1",
        "item_name": "'=1+1",
        "clicks": "30",
        "events": "1",
        "clicks_before": "20",
        "share_percent": "96.8",
        "change": "10",
        "change_percent": "50.0",
        "trend": "▲ 50 %",
    }
    assert (second["change_percent"], second["trend"]) == ("", "new")


def test_a_files_name_says_what_is_in_it() -> None:
    name = click_ranking.file_name("clicks-ranking", PERIOD, partial=True)
    assert name == "clicks-ranking-20261122T1330Z-20261122T1430Z-partial"


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@a", "\ta", "\ra", "＝1", " =1", "'=1", "'"])
def test_no_text_becomes_a_formula_and_each_can_be_had_back(text: str) -> None:
    assert spreadsheet.guarded(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "a", "a=1", "1-1", "été", "7", "a'b"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert spreadsheet.guarded(text) == text


def test_numbers_are_numbers_also_below_zero_and_texts_are_quoted() -> None:
    frame = pd.DataFrame({"text": ['say "no", ok\n'], "number": [-5], "none": [None], "at": [pd.Timestamp(SINCE)]})
    written = spreadsheet.csv(frame).decode("utf-8-sig")
    assert written == '"text","number","none","at"\r\n"say ""no"", ok\n",-5,"","2026-11-22T13:30:00Z"\r\n'
