"""charts.py: frames in, valid chart specifications out, with the right marks and numbers in them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

import dashboard
from dashboard import quantities
from dashboard.charts import click_charts, pipeline_charts, truck_charts
from dashboard.spans import Span

pytestmark = pytest.mark.unit

STYLE = Path(dashboard.__file__).parent / "style.css"
START = pd.Timestamp("2026-11-22T14:00:00Z")


def seconds(*offsets: float) -> list[pd.Timestamp]:
    return [START + pd.Timedelta(seconds=offset) for offset in offsets]


def test_clicks_are_summed_by_bucket_and_item() -> None:
    clicks = pd.DataFrame(
        {
            "time": seconds(0, 14.9, 15, 16),
            "item_name": ["Mobile", "Mobile", "Mobile", "Camera"],
            "clicks": [1, 2, 4, 8],
        }
    )
    buckets = click_charts.clicks_per_bucket(clicks, 15)
    assert buckets.to_dict("records") == [
        {"start": START, "end": seconds(15)[0], "item_name": "Mobile", "clicks": 3},
        {"start": seconds(15)[0], "end": seconds(30)[0], "item_name": "Camera", "clicks": 8},
        {"start": seconds(15)[0], "end": seconds(30)[0], "item_name": "Mobile", "clicks": 4},
    ]


def test_times_are_drawn_in_utc() -> None:
    clicks = pd.DataFrame({"time": seconds(0), "item_name": ["Mobile"], "clicks": [1]})
    spec = click_charts.clicks_over_time(clicks, 15, ["Mobile"], ["Mobile"]).to_dict()
    assert spec["encoding"]["x"]["scale"]["type"] == "utc"
    assert spec["encoding"]["tooltip"][0]["timeUnit"].startswith("utc")
    assert spec["encoding"]["y"]["title"] == "clicks per 15 s"


@pytest.mark.parametrize(
    "name",
    [
        'Jan\'s "best" phone',
        "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "back\\slash\\",
        "two\nlines\r\t\x00\x7f",
        "\u2028\u2029\u00ad\ufeff",
        "lone \ud83c surrogate",
        "مرحبا \u202e abc",
        "x" * 512,
    ],
)
def test_any_name_is_a_literal_in_the_expression_that_orders_the_stack(name: str) -> None:
    # Stores answer in UTF-8, so a frame has no lone surrogate.
    clicks = pd.DataFrame({"time": seconds(0), "item_name": [name.encode(errors="replace").decode()], "clicks": [1]})
    spec = click_charts.clicks_over_time(clicks, 15, ["A", name], [0, name, "A"]).to_dict()
    assert spec["encoding"]["color"]["scale"]["domain"] == [0, name, "A"]
    assert spec["encoding"]["color"]["legend"]["values"] == ["A", name]
    # Vega reads the escapes of JavaScript's strings; JSON's are among them, and ASCII leaves nothing to misread.
    (order,) = spec["transform"]
    literal = order["calculate"].removeprefix("indexof(").removesuffix(", datum.item_name)")
    assert literal.isascii()
    assert json.loads(literal) == ["A", name]


def test_item_totals_are_written_beside_their_bars() -> None:
    totals = pd.DataFrame({"item_name": ["Mobile"], "clicks": [1200]})
    layers = click_charts.item_totals(totals, ["Mobile"]).to_dict()["layer"]
    assert layers[1]["encoding"]["text"] == {"field": "counted", "type": "nominal"}
    (rows,) = click_charts.item_totals(totals, ["Mobile"]).to_dict()["datasets"].values()
    assert rows == [{"item_name": "Mobile", "clicks": 1200.0, "counted": "1,200", "bar": 1200.0}]


def test_lines_over_time_name_their_unit_and_drop_unknown_values() -> None:
    track = pd.DataFrame({"truck_id": ["T", "T"], "slice_start": seconds(0, 5), "fuel_level": [50.0, None]})
    spec = truck_charts.over_time(track, "fuel_level", "fuel level, %").to_dict()
    assert spec["encoding"]["y"]["title"] == "fuel level, %"
    assert [len(rows) for rows in spec["datasets"].values()] == [1]


def test_merge_rows_are_stacked_by_kind() -> None:
    runs = pd.DataFrame({"started_at": seconds(0), "rows_inserted": [5], "rows_updated": [2], "rows_deleted": [1]})
    (rows,) = pipeline_charts.merge_rows(runs).to_dict()["datasets"].values()
    assert {row["kind"]: row["rows"] for row in rows} == {"inserted": 5, "updated": 2, "deleted": 1}


def test_quarantine_bars_span_their_hour() -> None:
    counts = pd.DataFrame({"stream": ["s"], "hour": [START], "reason": ["missing"], "records": [3]})
    (rows,) = pipeline_charts.quarantine_by_hour(counts).to_dict()["datasets"].values()
    assert pd.Timestamp(rows[0]["end"]) - pd.Timestamp(rows[0]["hour"]) == pd.Timedelta(hours=1)


def test_the_rarest_of_many_reasons_share_a_colour() -> None:
    counts = pd.DataFrame({"hour": START, "reason": list("ihgfedcba"), "records": [1, 1, 1, *range(2, 8)]})
    for most, drawn in ((9, [*"abcdef", pipeline_charts.OTHER_REASONS]), (7, [*"cdefghi"])):
        spec = pipeline_charts.quarantine_by_hour(counts.head(most)).to_dict()
        assert spec["encoding"]["color"]["scale"]["domain"] == drawn
        (rows,) = spec["datasets"].values()
        assert {row["reason"] for row in rows} == set(drawn)
        assert sum(row["records"] for row in rows) == counts.head(most)["records"].sum()


SPAN = Span(*(instant.to_pydatetime() for instant in seconds(0, 60)))


@pytest.mark.parametrize(("instant", "layers"), [(None, 2), (START, 3)])
def test_the_time_line_reaches_over_its_span_and_marks_the_instant(instant: pd.Timestamp | None, layers: int) -> None:
    slices = pd.DataFrame({"start": seconds(5), "end": seconds(10), "versions": [7]})
    bands = slices.assign(state="past", changed="Fuel level")
    for kind, chart in (
        ("bars", truck_charts.version_bars(slices, SPAN, instant)),
        ("bands", truck_charts.version_bands(bands, SPAN, instant)),
    ):
        spec = chart.to_dict()
        assert len(spec["layer"]) == layers
        # The place of the chart is as high before it is drawn.
        place = re.search(rf"\.st-key-time_line_of_{kind} {{\s+min-height: (\d+)px;", STYLE.read_text())
        assert place is not None
        assert spec["height"] == int(place[1])
        # A person selects a span by dragging.
        assert spec["params"][0]["name"] == truck_charts.BRUSH
        drawn = [pd.Timestamp(row["start"]) for rows in spec["datasets"].values() for row in rows if "start" in row]
        assert (min(drawn), max(drawn)) == SPAN


def test_a_line_of_steps_ends_where_nothing_is_known() -> None:
    steps = pd.DataFrame(
        {"start": seconds(0, 10, 20), "end": seconds(10, 20, 30), "mean": [1.0, float("nan"), 3.0]}
    ).assign(lowest=0.5, highest=3.5)
    spec = truck_charts.metric_steps(steps, "mph", SPAN, None).to_dict()
    line = next(rows for rows in spec["datasets"].values() if set(rows[0]) == {"start", "mean"})
    points = [(pd.Timestamp(row["start"]), row["mean"]) for row in line]
    values = [1.0, 1.0, None, None, 3.0, 3.0, None]
    assert points == list(zip(seconds(0, 10, 10, 10, 20, 30, 30), values, strict=True))


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (0, "0 s"),
        (-3, "0 s"),
        (59.6, "60 s"),
        (60, "1 min"),
        (119, "119 s"),
        (150, "2 min"),
        (3600, "1 h"),
        (200_000, "2 d"),
    ],
)
def test_durations_as_a_person_says_them(length: float, text: str) -> None:
    assert quantities.duration(length) == text


HUGE = 1024 * 2**53


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (-7, "-7"),
        (999_999_999_999, "999,999,999,999"),
        (10**12, "1.00 × 10¹²"),
        (HUGE, "9.22 × 10¹⁸"),
        (-HUGE, "-9.22 × 10¹⁸"),
        (10**38 - 1, "1.00 × 10³⁸"),
        (10**400, "1.00 × 10⁴⁰⁰"),
    ],
)
def test_counts_as_a_person_reads_them(number: int, text: str) -> None:
    assert quantities.count(number) == text


@pytest.mark.parametrize(
    ("lengths", "cut"),
    [
        ([], None),
        ([5], None),
        ([0, -3, 5], None),
        ([1, 2, 4, 8, 100], None),
        ([1, 100, 10_000], None),
        ([100, 2**53], 125.0),
        ([90, 100, 80, 2**53, 0], 125.0),
        ([90, 100, 80, 10**38, 10**20], 125.0),
        # Most bars are long, so they are what the chart is about.
        ([1, 2**53, 2**53], None),
    ],
)
def test_a_bar_that_dwarfs_the_others_is_cut(lengths: list[float], cut: float | None) -> None:
    assert click_charts.cut_at(lengths) == cut


def test_one_absurd_count_does_not_flatten_the_other_bars() -> None:
    counts = [HUGE, 90, 100, 80]
    clicks = pd.DataFrame({"time": seconds(0, 20, 40, 60), "item_name": list("ABCD"), "clicks": counts}).astype(
        {"clicks": "object"}
    )
    over_time = click_charts.clicks_over_time(clicks, 15, list("ABCD"), list("ABCD")).to_dict()
    assert over_time["encoding"]["y"]["scale"]["domain"] == [0, 125]
    assert over_time["title"]["text"] == "longer bars are cut at 125 clicks"
    totals = click_charts.item_totals(clicks[["item_name", "clicks"]], list("ABCD")).to_dict()
    (rows,) = totals["datasets"].values()
    assert [(row["bar"], row["counted"]) for row in rows] == [
        (125, "9.22 × 10¹⁸"),
        (90, "90"),
        (100, "100"),
        (80, "80"),
    ]
    assert totals["layer"][0]["encoding"]["x"]["title"] == "clicks, the longest bar cut"
    assert totals["layer"][0]["encoding"]["y"]["sort"] == ["A", "C", "B", "D"]


def test_a_legend_has_fewer_columns_for_longer_names() -> None:
    shares = pd.DataFrame({"start": seconds(0), "end": seconds(60), "label": "A", "clicks": [1]})
    for name, pixels in (("A", 33), ("Halcyon 35 Mirrorless Camera", 222), ("x" * 512, 246)):
        spec = click_charts.share_over_time(shares, ["A", name], "minute", ["A", name]).to_dict()
        columns = spec["encoding"]["color"]["legend"]["columns"]["expr"]
        assert columns == f"clamp(floor(width / {pixels}), 1, 4)"


def test_shares_add_up_in_each_bar() -> None:
    shares = pd.DataFrame(
        {"start": seconds(0, 0), "end": seconds(60, 60), "label": ["Mobile", "Camera"], "clicks": [3, 1]}
    )
    (rows,) = (
        click_charts.share_over_time(shares, ["Mobile", "Camera"], "minute", ["Camera", "Mobile"])
        .to_dict()["datasets"]
        .values()
    )
    assert [row["share"] for row in rows] == [0.75, 0.25]


def test_the_hours_of_an_item_are_bars_with_a_mark_for_the_day_before() -> None:
    hours = pd.DataFrame({"hour": seconds(0, 3600), "clicks": [5, 7], "clicks_day_before": [4, None]})
    bars, marks = click_charts.clicks_per_hour(hours).to_dict()["datasets"].values()
    assert ([row["clicks"] for row in bars], [row["clicks"] for row in marks]) == ([5, 7], [4])


def test_fields_that_change_and_statuses_are_drawn_over_the_whole_span() -> None:
    spans = pd.DataFrame({"start": seconds(5), "end": seconds(10), "status": "Good"})
    shares = spans.assign(field="Fuel level", share=0.5, changed=1, versions=2)
    for chart in (truck_charts.change_matrix(shares, SPAN), truck_charts.status_bands(spans, SPAN, None)):
        rows = [row for rows in chart.to_dict()["datasets"].values() for row in rows]
        starts = [pd.Timestamp(row["start"]) for row in rows]
        assert (min(starts), max(starts)) == SPAN
