"""The tab Quarantine: the records that were not accepted, by hour of arrival, stream and reason."""

import pandas as pd
import streamlit as st

from dashboard import as_sent, data, ui
from dashboard.charts import axes, pipeline_charts


def show(hours: int) -> None:
    """Show the records that arrived and were quarantined in the last ``hours``."""
    _quarantined(hours)
    st.caption(
        "A reading in which a metric was nulled (setting `CTD_NULL_OUT_OF_RANGE`) is not in quarantine. The tab Ledger "
        "counts these readings, and the rule `metrics_arrive_in_range` in the tab Quality names their trucks."
    )


def _quarantined(hours: int) -> None:
    answer = data.quarantine(hours)
    if not answer.listed:
        st.success(
            f"No record was quarantined in the last {hours} h: every record that arrived was accepted.",
            icon=":material/check_circle:",
        )
        return
    by_stream = answer.frame.groupby("stream")["records"].sum()
    cards = st.columns(4)
    cards[0].metric("Quarantined", f"{answer.listed:,}", border=True, help=f"Records of the last {hours} h.")
    for card, (stream, records) in zip(cards[1:3], by_stream.items(), strict=False):
        card.metric(as_sent.markdown(str(stream)), f"{records:,}", border=True)
    cards[3].metric("Reasons", f"{answer.frame['reason'].nunique()}", border=True)
    chart, counts = st.columns([3, 2])
    with chart.container(border=True):
        st.markdown("**By hour of arrival and reason**")
        st.altair_chart(pipeline_charts.quarantine_by_hour(answer.frame), width="stretch")
    with counts.container(border=True):
        st.markdown("**By stream and reason**")
        _by_stream_and_reason(answer.frame)
    if answer.unread:
        st.caption(
            f"The reasons are those of the newest {data.MAX_QUARANTINE_READS:,} records. The other {answer.unread:,} "
            "are counted as “not read”."
        )
    st.caption(
        "Each object under quarantine/ has the reason, the envelope and the raw bytes of a record, so the record can "
        "be replayed."
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
