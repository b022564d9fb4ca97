"""The part Flow: how fresh each store is and how far behind each step, from the streams to the history."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from dashboard import as_sent, data, stream_lag, times, ui
from dashboard.app_pages.pipeline_health import freshness
from dashboard.charts import pipeline_charts
from dashboard.charts.drawing import draw
from dashboard.quantities import duration
from include import names

# As monitor_snowpipe: a file that waits for longer is a problem.
LONGEST_PENDING_SECONDS = 600

# The steps of a reading: the prefix of its columns, a title and its meaning.
STEPS = (
    ("sent", "Truck to stream", "From the time in the reading to its arrival in Kinesis."),
    ("loaded", "Stream to RAW", "From the arrival in Kinesis until Snowpipe committed the file with the reading."),
    ("merged", "RAW to history", "From that commit to the end of the first merge that covers the reading."),
    ("total", "Stream to history", "From the arrival in Kinesis until the history has the reading."),
)


def show(minutes: int) -> None:
    """Show the stores' ages, the lag of the streams' consumers, the state of the pipe and the delays of readings."""
    # A container, so that a message does not move what follows.
    with st.container():
        unavailable = freshness.show()
    failures: dict[str, data.StoreUnavailableError] = {}
    lags, mappings, pipe = ui.ask_all(
        failures, partial(data.stream_lags, minutes), data.stream_mappings, data.pipe_status
    )
    settings = ui.ask({}, data.deployment)  # The cards above report a setting that can't be used.
    expected = settings is None or settings.event_source_mappings_enabled
    for failure in failures.values():
        if failure.store not in unavailable:
            ui.unavailable(failure)
    columns = st.columns(3)
    for column, stream in zip(columns, (names.CLICK_STREAM, names.TRUCK_STREAM), strict=False):
        with column.container(border=True, height="stretch"):
            _stream(stream, lags, next((each for each in mappings or [] if each.stream == stream), None), expected)
    with columns[2].container(border=True, height="stretch"):
        _pipe(pipe)
    if data.SNOWFLAKE_STORE not in failures:
        with ui.store_section():
            _delays(max(minutes, 60))


def _stream(stream: str, lags: pd.DataFrame | None, mapping: data.StreamMapping | None, expected: bool) -> None:
    st.markdown(f"**Stream {stream}**")
    received = stream_lag.newest(lags, stream, data.RECEIVED)
    badges = [stream_lag.level(received).badge() if lags is not None else ui.UNKNOWN.badge()]
    if mapping is not None:
        badges.append(stream_lag.of_mapping(mapping, expected).badge())
    st.markdown(" ".join(badges))
    st.metric(
        "Behind",
        ui.UNKNOWN_VALUE if received is None else stream_lag.seconds(received.seconds),
        help="The age of the oldest record when the stream's function received it, the highest of the newest minute "
        "that has a measurement (metric IteratorAge). Lambda measures only while it delivers something.",
    )
    if lags is not None:
        _measurements(lags, stream)
    if mapping is None:
        return
    # A mapping that is disabled keeps the words of a delivery of long ago.
    if mapping.last_result and mapping.state == "Enabled":
        st.caption(f"Last delivery to {mapping.function}: {as_sent.markdown(mapping.last_result)}")
    if stream_lag.of_mapping(mapping, expected).colour == "red":
        st.caption("Runbook `docs/runbooks/stream_lag.md#when-nothing-is-consumed`.")


def _measurements(lags: pd.DataFrame, stream: str) -> None:
    """Show when the lag was measured, its last hour or more, and the other measurements of the stream."""
    received = stream_lag.newest(lags, stream, data.RECEIVED)
    if received is None:
        st.caption("No measurement in this window: nothing was delivered, or the metric is not recorded here.")
    else:
        st.caption(f"measured {ui.age(received.minute)} ago, {times.named(received.minute)}")
        draw(
            pipeline_charts.stream_lag(lags[(lags["stream"] == stream) & (lags["kind"] == data.RECEIVED)]),
            alt="Lag of the stream over time; the newest is above.",
        )
    others = {"Until a batch is durable": data.DURABLE, "Any reader of the stream": data.READ}
    st.caption(
        "  \n".join(
            f"{title}: {stream_lag.measured(stream_lag.newest(lags, stream, kind))}" for title, kind in others.items()
        )
    )


def _pipe(pipe: data.PipeStatus | None) -> None:
    st.markdown("**Snowpipe**")
    if pipe is None:
        st.markdown(ui.UNKNOWN.badge())
        st.metric("Files pending", ui.UNKNOWN_VALUE)
        return
    st.markdown(pipe_level(pipe, ui.age_seconds(pipe.oldest_pending)).badge())
    st.metric("Files pending", f"{pipe.pending:,}", help="Files that the pipe knows of and has not loaded yet.")
    lines = [
        f"The oldest has waited {ui.age(pipe.oldest_pending)}" if pipe.oldest_pending else "",
        f"Last file loaded {ui.age(pipe.last_load)} ago" if pipe.last_load else "No file loaded yet",
        f"Last notification {ui.age(pipe.last_message)} ago" if pipe.last_message else "No notification yet",
    ]
    st.caption("  \n".join(filter(None, lines)))
    if pipe.error:
        st.code(pipe.error, language=None, wrap_lines=True)
    if pipe_level(pipe, ui.age_seconds(pipe.oldest_pending)).colour == "red":
        st.caption("Runbook `docs/runbooks/monitor_snowpipe.md`.")


def pipe_level(pipe: data.PipeStatus, oldest_seconds: float | None) -> ui.FreshnessLevel:
    """Return how the pipe is, as a badge shows it; ``oldest_seconds`` is how long its oldest file has waited."""
    if pipe.state != "RUNNING":
        return ui.FreshnessLevel(stream_lag.state_words(pipe.state), "red", ":material/warning:")
    if pipe.pending and oldest_seconds is not None and oldest_seconds > LONGEST_PENDING_SECONDS:
        return ui.FreshnessLevel("files wait too long", "red", ":material/warning:")
    return ui.FreshnessLevel("running", "blue", ":material/check_circle:")


def _delays(minutes: int) -> None:
    st.markdown(f"**How long readings take**, by time of arrival in the last {duration(minutes * 60)}")
    slices = data.delays(minutes)
    if slices.empty:
        ui.empty(
            f"No reading arrived in the last {duration(minutes * 60)}",
            "Start traffic with the DAG **generate_traffic**, or look at the lag of the stream above.",
        )
        return
    for column, (step, title, meaning) in zip(st.columns(len(STEPS)), STEPS, strict=True):
        with column.container(border=True, height="stretch"):
            _step(slices, step, title, meaning)
    waiting = int(slices["readings"].sum() - slices["merged_readings"].sum())
    each = duration(data.slice_of(minutes))
    st.caption(
        f"p50: half of the readings take at most this long; p95: 95 of 100 do. Each point covers {each}. "
        f"{slices['readings'].sum():,.0f} readings arrived; the history does not have {waiting:,} of them yet."
    )


def _step(slices: pd.DataFrame, step: str, title: str, meaning: str) -> None:
    known = slices.dropna(subset=[f"{step}_p95"])
    if known.empty:
        st.metric(f"{title}, p95", ui.UNKNOWN_VALUE, help=meaning)
        st.caption("no reading has taken this step yet")
        return
    newest = known.iloc[-1]
    st.metric(f"{title}, p95", stream_lag.seconds(newest[f"{step}_p95"]), help=meaning)
    st.caption(f"p50 {stream_lag.seconds(newest[f'{step}_p50'])}, newest readings")
    draw(pipeline_charts.delays(known, step), width="stretch", alt=f"{title} over time; the newest is above.")
