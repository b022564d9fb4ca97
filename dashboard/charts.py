"""Charts, pure: a frame in, an Altair chart out.  Colours come from the theme (.streamlit/config.toml).

All times are shown in UTC, whatever the browser's zone.  No chart loads anything from the network.
"""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

HEIGHT = 290
MAP_HEIGHT = 480
# So few that a line alone could be invisible.
FEW_POINTS = 20
# Above so many names a label is noise, and colours repeat.
MAX_LABELS = 30
KM_PER_DEGREE = 111.32
TICKS = 6

OK, ATTENTION = "ok", "needs attention"
# Okabe and Ito's blue and vermilion; shape says the same again.
_STATE_SCALE = alt.Scale(domain=[OK, ATTENTION], range=["#0072B2", "#D55E00"])


def _time_axis(field: str, title: str | None = None, *, binned: bool = False) -> alt.X:
    clock = {"seconds": "%H:%M:%S", "minutes": "%H:%M", "hours": "%H:%M", "date": "%b %d"}
    axis = alt.Axis(grid=False, labelFlush=True, tickCount=6, labelOverlap=True, format=clock)
    # Where a bar spans from start to end, Vega-Lite stacks it only if it knows that the field is binned.
    bins = {"bin": "binned"} if binned else {}
    return alt.X(f"{field}:T", title=title, scale=alt.Scale(type="utc"), axis=axis, **bins)


def _when(field: str, title: str = "time (UTC)") -> alt.Tooltip:
    return alt.Tooltip(f"utcyearmonthdatehoursminutesseconds({field}):T", title=title, format="%Y-%m-%d %H:%M:%S")


def _empty_safe(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Only what the chart draws goes to the browser."""
    return frame.loc[:, list(columns)]


def clicks_over_time(clicks: pd.DataFrame, bucket_seconds: int, item_order: Sequence[str]) -> alt.Chart:
    """Clicks per ``bucket_seconds``, an area an item, from ``time, item_name, clicks``."""
    buckets = clicks_per_bucket(clicks, bucket_seconds)
    return (
        alt.Chart(buckets, height=HEIGHT)
        .mark_bar(binSpacing=1)
        .encode(
            x=_time_axis("start", binned=True),
            x2="end:T",
            y=alt.Y("clicks:Q", title=f"clicks per {duration(bucket_seconds)}", stack="zero"),
            color=alt.Color("item_name:N", title=None, sort=list(item_order), scale=alt.Scale(domain=list(item_order))),
            order=alt.Order("item_order:Q"),
            tooltip=[_when("start", "from (UTC)"), alt.Tooltip("item_name:N", title="item"), alt.Tooltip("clicks:Q")],
        )
        .transform_calculate(item_order=f"indexof({list(item_order)!r}, datum.item_name)")
    )


def clicks_per_bucket(clicks: pd.DataFrame, bucket_seconds: int) -> pd.DataFrame:
    """start, end (UTC), item_name, clicks: the sum of clicks of each item in each bucket that has any."""
    floored = clicks.assign(start=clicks["time"].dt.floor(f"{bucket_seconds}s"))
    buckets = floored.groupby(["start", "item_name"], as_index=False)["clicks"].sum()
    buckets["end"] = buckets["start"] + pd.Timedelta(seconds=bucket_seconds)
    return buckets[["start", "end", "item_name", "clicks"]]


def item_totals(totals: pd.DataFrame, item_order: Sequence[str]) -> alt.LayerChart:
    """A bar an item with its number, from ``item_name, clicks``."""
    base = alt.Chart(totals, height=HEIGHT).encode(
        y=alt.Y("item_name:N", sort="-x", title=None, axis=alt.Axis(labelLimit=160, ticks=False, domain=False)),
        x=alt.X("clicks:Q", title="clicks", axis=alt.Axis(tickCount=4)),
        tooltip=[alt.Tooltip("item_name:N", title="item"), alt.Tooltip("clicks:Q", format=",")],
    )
    bars = base.mark_bar(cornerRadiusEnd=3, height={"band": 0.6}).encode(
        color=alt.Color("item_name:N", legend=None, scale=alt.Scale(domain=list(item_order)))
    )
    return bars + base.mark_text(align="left", dx=5, color="gray").encode(text=alt.Text("clicks:Q", format=","))


def fleet_map(
    states: pd.DataFrame, track: pd.DataFrame, trucks: Sequence[str], height: int = MAP_HEIGHT
) -> alt.LayerChart:
    """Trucks at their newest position over the lines they drove: a map with no base map, so it works offline.

    ``states``: truck_id, gps_latitude, gps_longitude (degrees), vehicle_speed, condition (:data:`OK` or
    :data:`ATTENTION`), warnings.  ``track``: truck_id, last_time, gps_latitude, gps_longitude.  ``trucks``: all that
    share the colours, so that a truck has the same one on each map of a page.  ``height`` is in pixels.

    Equirectangular about the middle of what is shown: the domains are computed from the chart's real size in the
    browser, so a kilometre is as long to the north as to the east, and the bar shows how long.
    """
    states = _empty_safe(
        states.dropna(subset=["gps_latitude", "gps_longitude"]),
        ["truck_id", "gps_latitude", "gps_longitude", "vehicle_speed", "condition", "warnings"],
    )
    track = _empty_safe(
        track.dropna(subset=["gps_latitude", "gps_longitude"]),
        ["truck_id", "last_time", "gps_latitude", "gps_longitude"],
    )
    west, east, south, north = bounds(
        pd.concat([states["gps_longitude"], track["gps_longitude"]]),
        pd.concat([states["gps_latitude"], track["gps_latitude"]]),
    )
    params = [
        alt.param(name="middle_longitude", value=(west + east) / 2),
        alt.param(name="middle_latitude", value=(south + north) / 2),
        alt.param(name="squeeze", expr="max(cos(middle_latitude * PI / 180), 0.05)"),
        alt.param(
            name="degrees_per_pixel",
            expr=f"1.25 * max({east - west!r} * squeeze / max(width, 1), {north - south!r} / max(height, 1))",
        ),
        # The roundest length (1, 2 or 5 times a power of ten) that fills at most a fifth of the width.
        alt.param(name="room_km", expr=f"degrees_per_pixel * {KM_PER_DEGREE} * width / 5"),
        alt.param(name="decade", expr="pow(10, floor(log(room_km) / LN10))"),
        alt.param(
            name="bar_km",
            expr="room_km / decade >= 5 ? 5 * decade : room_km / decade >= 2 ? 2 * decade : decade",
        ),
        alt.param(name="bar_pixels", expr=f"bar_km / (degrees_per_pixel * {KM_PER_DEGREE})"),
    ]
    longitude = alt.Scale(
        domainMin=alt.expr("middle_longitude - degrees_per_pixel * width / 2 / squeeze"),
        domainMax=alt.expr("middle_longitude + degrees_per_pixel * width / 2 / squeeze"),
        nice=False,
        zero=False,
    )
    latitude = alt.Scale(
        domainMin=alt.expr("middle_latitude - degrees_per_pixel * height / 2"),
        domainMax=alt.expr("middle_latitude + degrees_per_pixel * height / 2"),
        nice=False,
        zero=False,
    )

    def degrees(positive: str, negative: str, span: str) -> alt.Axis:
        # As many decimals as tell one tick from the next.
        decimals = f"max(0, ceil(-log({span} / {TICKS}) / LN10))"
        text = (
            f"format(abs(datum.value), '.' + {decimals} + 'f') + '° ' + (datum.value < 0 ? '{negative}' : '{positive}')"
        )
        return alt.Axis(
            labelExpr=text, grid=True, gridDash=[2, 3], tickCount=TICKS, labelOverlap=True, ticks=False, domain=False
        )

    x = alt.X(
        "gps_longitude:Q", scale=longitude, title=None, axis=degrees("E", "W", "(degrees_per_pixel * width / squeeze)")
    )
    y = alt.Y("gps_latitude:Q", scale=latitude, title=None, axis=degrees("N", "S", "(degrees_per_pixel * height)"))
    colour = alt.Color("truck_id:N", legend=None, scale=alt.Scale(domain=list(trucks)))
    lines = (
        alt.Chart(track)
        .mark_line(strokeWidth=2.5, opacity=0.45, strokeJoin="round", clip=True)
        .encode(x=x, y=y, color=colour, order="last_time:T")
    )
    trucks = (
        alt.Chart(states)
        .mark_point(filled=True, size=190, opacity=1, stroke="white", strokeWidth=1.5)
        .encode(
            x=x,
            y=y,
            color=colour,
            shape=alt.Shape(
                "condition:N",
                title=None,
                scale=alt.Scale(domain=[OK, ATTENTION], range=["circle", "triangle-up"]),
                legend=alt.Legend(orient="top", symbolFillColor="gray", symbolStrokeWidth=0, symbolOpacity=1),
            ),
            tooltip=[
                alt.Tooltip("truck_id:N", title="truck"),
                alt.Tooltip("vehicle_speed:Q", title="speed, mph", format=".0f"),
                alt.Tooltip("gps_latitude:Q", title="latitude, °", format=".5f"),
                alt.Tooltip("gps_longitude:Q", title="longitude, °", format=".5f"),
                alt.Tooltip("warnings:N", title="attention"),
            ],
        )
    )
    layers: list[alt.Chart] = [lines, trucks]
    if len(states) <= MAX_LABELS:
        layers.append(
            alt.Chart(states)
            .mark_text(align="left", dx=11, dy=-9, fontWeight="bold", fontSize=12)
            .encode(x=x, y=y, text="truck_id:N", color=colour)
        )
    bar = alt.Chart(pd.DataFrame({"unit": ["km"]}))
    left, bottom = 14, alt.expr("height - 14")
    layers.append(
        bar.mark_rule(strokeWidth=3, color="gray").encode(
            x=alt.value(left), x2=alt.value(alt.expr(f"{left} + bar_pixels")), y=alt.value(bottom)
        )
    )
    layers.append(
        bar.mark_text(align="left", color="gray", dy=-9, text=alt.expr("format(bar_km, '~r') + ' km'")).encode(
            x=alt.value(left), y=alt.value(bottom)
        )
    )
    return alt.layer(*layers, height=height).add_params(*params)


def bounds(longitudes: pd.Series, latitudes: pd.Series) -> tuple[float, float, float, float]:
    """West, east, south, north in degrees of what is to be shown, at least a kilometre in each direction."""
    if longitudes.empty:
        return -180.0, 180.0, -90.0, 90.0
    west, east = float(longitudes.min()), float(longitudes.max())
    south, north = float(latitudes.min()), float(latitudes.max())
    margin = max(0.0, 1 / KM_PER_DEGREE - min(east - west, north - south)) / 2
    return west - margin, east + margin, south - margin, north + margin


def over_time(track: pd.DataFrame, column: str, title: str, zero: bool = True) -> alt.Chart:
    """``column`` of ``track`` (truck_id, slice_start, …) over time, a line a truck; ``title`` has its unit."""
    return (
        alt.Chart(_empty_safe(track, ["truck_id", "slice_start", column]).dropna(subset=[column]), height=HEIGHT)
        .mark_line(strokeWidth=2, strokeJoin="round", point=len(track) <= FEW_POINTS)
        .encode(
            x=_time_axis("slice_start"),
            y=alt.Y(f"{column}:Q", title=title, scale=alt.Scale(zero=zero, nice=True)),
            color=alt.Color("truck_id:N", title=None, legend=alt.Legend(orient="top")),
            tooltip=[
                alt.Tooltip("truck_id:N", title="truck"),
                _when("slice_start"),
                alt.Tooltip(f"{column}:Q", title=title, format=".1f"),
            ],
        )
    )


def merge_rows(runs: pd.DataFrame) -> alt.Chart:
    """Rows written by each merge run, stacked by kind, from started_at, rows_inserted, rows_updated, rows_deleted."""
    kinds = {"rows_inserted": "inserted", "rows_updated": "updated", "rows_deleted": "deleted"}
    rows = runs.rename(columns=kinds).melt("started_at", list(kinds.values()), "kind", "rows")
    return (
        alt.Chart(rows, height=HEIGHT)
        .mark_bar(width=8)
        .encode(
            x=_time_axis("started_at", "run started, UTC"),
            y=alt.Y("rows:Q", title="rows written", stack="zero"),
            color=alt.Color("kind:N", title=None, sort=list(kinds.values()), legend=alt.Legend(orient="top")),
            tooltip=[_when("started_at", "started (UTC)"), "kind:N", alt.Tooltip("rows:Q", format=",")],
        )
    )


def quarantine_by_hour(counts: pd.DataFrame) -> alt.Chart:
    """Quarantined records by hour of arrival and reason, a panel a stream, from stream, hour, reason, records."""
    hours = counts.assign(end=counts["hour"] + pd.Timedelta(hours=1))
    return (
        alt.Chart(hours, height=HEIGHT)
        .mark_bar(binSpacing=2)
        .encode(
            x=_time_axis("hour", "hour of arrival, UTC", binned=True),
            x2="end:T",
            y=alt.Y("sum(records):Q", title="records"),
            color=alt.Color("reason:N", title=None),
            tooltip=[
                _when("hour", "hour (UTC)"),
                alt.Tooltip("reason:N"),
                alt.Tooltip("sum(records):Q", title="records", format=","),
            ],
        )
    )


def version_timeline(versions: pd.DataFrame, until: pd.Timestamp, instant: pd.Timestamp | None) -> alt.LayerChart:
    """A truck's versions as a band over time (an open one reaches ``until``), with a line at the chosen ``instant``.

    ``versions``: effective_start_date, effective_end_date, is_current, changed.
    """
    band = pd.DataFrame(
        {
            "start": versions["effective_start_date"],
            "end": versions["effective_end_date"].fillna(until),
            "state": versions["is_current"].map({True: "current", False: "past"}),
            "changed": versions["changed"],
        }
    )
    bars = (
        alt.Chart(band, height=110)
        .mark_bar(stroke="white", strokeWidth=0.5, height=30)
        .encode(
            x=_time_axis("start"),
            x2="end:T",
            color=alt.Color("state:N", legend=None, scale=alt.Scale(domain=["past", "current"])),
            tooltip=[_when("start", "valid from (UTC)"), _when("end", "to (UTC)"), "state:N", "changed:N"],
        )
    )
    if instant is None:
        return alt.layer(bars)
    mark = (
        alt.Chart(pd.DataFrame({"instant": [instant]}))
        .mark_rule(strokeWidth=3, color="#D55E00")
        .encode(x=_time_axis("instant"), tooltip=[_when("instant", "as of (UTC)")])
    )
    return alt.layer(bars, mark)


def duration(seconds: float) -> str:
    """A length of time as a person says it: ``45 s``, ``5 min``, ``2 h``, ``3 d``."""
    seconds = max(0.0, seconds)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size or seconds == size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
