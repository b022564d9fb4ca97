"""The part Quarantine: the records that were not accepted, counted by reason, and listed for the people who replay."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import access, as_sent, choices, data, quantities, times, ui
from dashboard.app_pages.pipeline_health import quarantined_record
from dashboard.charts import axes, pipeline_charts
from dashboard.charts.drawing import draw
from include import names

PAGE = 50
EVERY_STREAM, EVERY_REASON, NO_RECORD = "every stream", "every reason", "–"
PREFIX = names.QUARANTINE_PREFIX


def show(hours: int) -> None:
    """Show the records that arrived and were quarantined in the last ``hours``."""
    answer = data.quarantine(hours)
    if answer.listed:
        _counts(answer, hours)
        if access.is_operator():
            _records(answer)
        else:
            st.caption("Operators also see the records themselves and the command that replays them.")
    else:
        st.success(
            f"No record was quarantined in the last {hours} h: every record that arrived was accepted.",
            icon=":material/check_circle:",
        )
    st.caption(
        "A reading in which a metric was nulled (setting `CTD_NULL_OUT_OF_RANGE`) is not in quarantine. **Ledger** "
        "counts these readings, and the rule `metrics_arrive_in_range` under **Quality** names their trucks."
    )


def _counts(answer: data.QuarantineCounts, hours: int) -> None:
    by_stream = answer.frame.groupby("stream")["records"].sum()
    cards = st.columns(4)
    total = quantities.at_least(answer.listed, bool(answer.cut_off))
    cards[0].metric("Quarantined", total, border=True, help=f"Records of the last {hours} h.")
    for card, (stream, records) in zip(cards[1:3], by_stream.items(), strict=False):
        card.metric(as_sent.markdown(str(stream)), quantities.at_least(records, stream in answer.cut_off), border=True)
    cards[3].metric("Reasons", f"{answer.frame['reason'].nunique()}", border=True)
    chart, counts = st.columns([3, 2])
    with chart.container(border=True):
        st.markdown("**By hour of arrival and reason**")
        draw(
            pipeline_charts.quarantine_by_hour(answer.frame),
            width="stretch",
            alt="Quarantined records by hour of arrival and reason. The table beside it has the sums.",
        )
    with counts.container(border=True):
        st.markdown("**By stream and reason**")
        _by_stream_and_reason(answer.frame)
    if answer.cut_off:
        streams = " and ".join(as_sent.markdown(stream) for stream in answer.cut_off)
        st.caption(
            f"There are hours of {streams} with more than {data.MAX_KEYS_PER_HOUR:,} objects. Of such an hour, only "
            f"the first {data.MAX_KEYS_PER_HOUR:,} are counted and listed, by shard and time of arrival."
        )
    if answer.unread:
        st.caption(
            f"The reasons are those of the newest {data.MAX_QUARANTINE_READS:,} records; of a large batch, only the "
            f"first records are among them. The other {answer.unread:,} are counted as “{data.NOT_READ}”."
        )


def _by_stream_and_reason(frame: pd.DataFrame) -> None:
    st.dataframe(
        frame.groupby(["stream", "reason"], as_index=False)["records"].sum().sort_values("records", ascending=False),
        hide_index=True,
        placeholder=ui.UNKNOWN_VALUE,
        height=axes.HEIGHT,
        column_config={
            "stream": "Stream",
            "reason": "Reason",
            "records": st.column_config.NumberColumn("Records", format="localized"),
        },
    )


def _records(answer: data.QuarantineCounts) -> None:
    """List the records, the last quarantined first, and show the one that a person opens."""
    st.markdown("**The records**, the last quarantined first")
    filters = st.columns(3)
    with filters[0]:
        stream = choices.one("Stream", [EVERY_STREAM, *sorted(answer.records["stream"].unique())], "stream")
    with filters[1]:
        reason = choices.one("Reason", [EVERY_REASON, *sorted(answer.records["reason"].unique())], "reason")
    found = matching(answer.records, stream, reason)
    pages = max(1, -(-len(found) // PAGE))
    with filters[2]:
        page = int(choices.one("Page", [str(number) for number in range(1, pages + 1)], "page"))
    if found.empty:
        ui.empty("No record of this stream has this reason", "Choose another reason, or every stream.")
        return
    rows = found.iloc[PAGE * (page - 1) : PAGE * page]
    _table(rows)
    st.caption(f"{PAGE * (page - 1) + 1:,} to {PAGE * (page - 1) + len(rows):,} of {len(found):,}.")
    # A record that is open stays open while newer ones push it off the page.
    keys = dict.fromkeys([*rows["key"], *filter(is_record, [choices.kept("record") or ""])])
    key = choices.one("Open a record", [NO_RECORD, *keys], "record", words=lambda each: each.removeprefix(PREFIX))
    if key != NO_RECORD:
        with st.container(border=True), ui.store_section():
            quarantined_record.show(key)


def _table(rows: pd.DataFrame) -> None:
    """List records; a click on a row opens it."""
    keys = list(rows["key"])
    # A selection is a number of a row, so other rows are another table.
    table = f"records_{hash(tuple(keys))}"
    st.dataframe(
        rows.assign(record=rows["key"].map(name_of)),
        key=table,
        on_select=lambda: _open_selected(table, keys),
        selection_mode="single-row",
        hide_index=True,
        placeholder=ui.UNKNOWN_VALUE,
        column_order=["written", "stream", "reason", "hour", "size", "record"],
        column_config={
            "written": times.column("Quarantined"),
            "stream": st.column_config.TextColumn("Stream", width=130),
            "reason": st.column_config.TextColumn("Reason", width=120),
            "hour": times.column("Hour of arrival", precision="minutes"),
            "size": st.column_config.NumberColumn("Object, bytes", format="localized", width=100),
            "record": st.column_config.TextColumn("Shard and sequence number", width="large"),
        },
    )


def _open_selected(table: str, keys: list[str]) -> None:
    selected = st.session_state[table].selection.rows
    choices.put("record", *(keys[row] for row in selected[:1]))


def matching(records: pd.DataFrame, stream: str, reason: str) -> pd.DataFrame:
    """Return the records of a stream with a reason; :data:`EVERY_STREAM` and :data:`EVERY_REASON` leave none out."""
    if stream != EVERY_STREAM:
        records = records[records["stream"] == stream]
    if reason != EVERY_REASON:
        records = records[records["reason"] == reason]
    return records


def is_record(key: str) -> bool:
    """Return whether a key, which may come from an address, can be that of a quarantined record."""
    return key.startswith(PREFIX) and ".." not in key


def name_of(key: str) -> str:
    """Return the name of a record within its stream: ``<shard>-<sequence number>``."""
    return key.rpartition("/")[2].removesuffix(".json")
