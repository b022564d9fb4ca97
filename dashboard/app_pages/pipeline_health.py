"""Pipeline health: how fresh each store is, and what merges, the ledger, quality rules, loads and quarantine say."""

import json
from datetime import datetime
from functools import cache
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import charts, data, ui
from include import names, quality

# Columns of the ledger that are 0 where every record is accounted for.
DIFFERENCES = ("missing", "unexpected", "conflicts", "overdue", "uncovered")

chosen = ui.filters()
# Files and quarantined records come by the hour.
hours = max(1, chosen.minutes // 60)

ui.header("Pipeline health", "From the stream to the history: how far behind each store is, and what went wrong where.")


@st.fragment(run_every=chosen.refresh)
def live() -> None:
    freshness()
    merges, counted, checked, loads, quarantine = st.tabs(["Merge runs", "Ledger", "Quality", "Loads", "Quarantine"])
    with merges, ui.store_section():
        merge_runs()
    with counted, ui.store_section():
        ledger()
    with checked, ui.store_section():
        quality_results()
    with loads, ui.store_section():
        load_history()
    with quarantine, ui.store_section():
        quarantined()


def freshness() -> None:
    failures: dict[str, data.StoreUnavailableError] = {}
    click = ui.ask(failures, data.newest_click)
    states = ui.ask(failures, data.truck_states)
    landing = ui.ask(failures, data.newest_landing)
    tables = ui.ask(failures, data.table_freshness)
    reading = None if states is None or states.empty else states["event_time"].max()
    unset = data.SETTINGS in failures
    stores: list[tuple[str, str, str, bool, Any]] = [
        ("Clicks", names.CLICK_TABLE, "DynamoDB", unset or data.CLICK_STORE in failures, click),
        ("Truck state", names.TRUCK_STATE_TABLE, "DynamoDB", data.STATE_STORE in failures, reading),
        ("Landing", names.LANDING_PREFIX, "S3", unset or data.BUCKET_STORE in failures, landing and landing[0]),
        ("Raw readings", names.RAW_TABLE, "Snowflake", tables is None, newest_of(tables, names.RAW_TABLE)),
        ("History", names.HISTORY_TABLE, "Snowflake", tables is None, newest_of(tables, names.HISTORY_TABLE)),
    ]
    known = [newest for *_, newest in stores if newest is not None]
    if known or not failures:
        ui.freshness("record in any store", max(known, default=None))
    for failure in failures.values():
        ui.unavailable(failure)
    for column, (name, table, store, is_down, newest) in zip(st.columns(len(stores)), stores, strict=True):
        seconds = ui.age_seconds(newest)
        word, colour, icon = ("can't say", "gray", ":material/cloud_off:") if is_down else ui.level(seconds)
        with column.container(border=True):
            st.metric(name, ui.age(newest), help=f"Age of the newest record in {table}, {store}.")
            st.markdown(f":{colour}-badge[{icon} {word}]")
            st.caption(f"in {store}  \n{f'{newest:%Y-%m-%d %H:%M:%S}' if newest is not None else '–'}")
    if not known and not failures:
        ui.empty("Every store is empty", "Start traffic with the DAG **generate_traffic** in Airflow.")


def newest_of(tables: pd.DataFrame | None, name: str) -> datetime | None:
    if tables is None:
        return None
    newest = tables.set_index("table_name")["newest"][name]
    return None if pd.isna(newest) else newest


def merge_runs() -> None:
    runs = data.merge_runs()
    if runs.empty:
        ui.empty("No merge has run", "The DAG **scd2_merge** starts by itself when Snowpipe has loaded readings.")
        return
    seconds = (runs["finished_at"] - runs["started_at"]).dt.total_seconds()
    cards = st.columns(4)
    cards[0].metric("Last merge started", f"{ui.age(runs['started_at'].iloc[0])} ago", border=True)
    cards[1].metric("Last took", "–" if pd.isna(seconds.iloc[0]) else f"{seconds.iloc[0]:.1f} s", border=True)
    cards[2].metric("Runs shown", f"{len(runs)}", border=True)
    cards[3].metric("Versions opened in them", f"{runs['rows_inserted'].sum():,.0f}", border=True)
    with st.container(border=True):
        st.markdown("**Rows written by each run**")
        st.altair_chart(charts.merge_rows(runs), width="stretch")
    st.dataframe(
        runs.assign(seconds=seconds)[
            ["started_at", "seconds", "rows_inserted", "rows_updated", "rows_deleted", "run_id"]
        ],
        hide_index=True,
        column_config={
            "started_at": ui.time_column("Started, UTC"),
            "seconds": st.column_config.NumberColumn("Took, s", format="%.1f"),
            "rows_inserted": st.column_config.NumberColumn("Inserted", format="localized"),
            "rows_updated": st.column_config.NumberColumn("Updated", format="localized"),
            "rows_deleted": st.column_config.NumberColumn("Deleted", format="localized"),
            "run_id": "Run",
        },
    )


def ledger() -> None:
    rows = data.ledger()
    if rows.empty:
        ui.empty(
            "No hour has been counted",
            "The DAG **reconcile** counts each hour when it has closed, at twenty past. To count now, the open hour "
            "too, trigger it in Airflow with a time in *Since*.",
        )
        return
    is_open = rows["is_open"].astype(bool)
    balanced = rows["balanced"].astype(bool)
    closed = rows[~is_open]
    differing = int(closed[list(DIFFERENCES)].sum().sum())
    cards = st.columns(4)
    cards[0].metric(
        "Hours that balance",
        f"{(balanced & ~is_open).sum()} of {len(closed)}",
        border=True,
        help="Closed arrival hours, each stream by itself, of the last two days.",
    )
    cards[1].metric(
        "Differences", f"{differing:,}", border=True, help="Of closed hours: records missing, unexpected and so on."
    )
    cards[2].metric(
        "Records archived", f"{rows['archived'].sum():,}", border=True, help="Distinct, in the hours shown."
    )
    cards[3].metric("Last counted", f"{ui.age(rows['checked_at'].max())} ago", border=True)
    st.dataframe(
        rows.assign(
            result=[ledger_verdict(*row) for row in zip(balanced, is_open, strict=True)],
            differences=[ledger_differences(row) for row in rows.to_dict("records")],
        ),
        hide_index=True,
        column_order=[
            *("result", "stream_name", "arrival_hour", "archived", "landed", "duplicates", "quarantined", "resolved"),
            *("differences", "details", "checked_at"),
        ],
        column_config={
            "result": st.column_config.TextColumn("Result", width=95),
            "stream_name": st.column_config.TextColumn("Stream", width=130),
            "arrival_hour": st.column_config.DatetimeColumn(
                "Arrived, UTC", format="YYYY-MM-DD HH:mm", timezone="UTC", width=130
            ),
            "archived": ledger_count("Archived", "Distinct records in the raw archive."),
            "landed": ledger_count("Landed", "In RAW, or as a row of ClickStreamData."),
            "duplicates": ledger_count("Duplicates", "Clicks sent again."),
            "quarantined": ledger_count("Quarantined", "Invalid, or given up, and waiting for a replay."),
            "resolved": ledger_count("Resolved", "Only in quarantine-resolved/: probes."),
            "differences": st.column_config.TextColumn(
                "Differences",
                width=140,
                help="missing: archived and nowhere else; unexpected: somewhere and not archived; conflicts: keys with "
                "several contents; overdue and uncovered: in RAW and not in the history.",
            ),
            "details": st.column_config.TextColumn("Files and sequence numbers", width="large"),
            "checked_at": ui.time_column("Counted, UTC"),
        },
    )


def ledger_verdict(balanced: bool, is_open: bool) -> str:
    """An open hour differs while records are on their way: that is no failure."""
    if is_open:
        return "… open"
    return "✓ balanced" if balanced else "✕ differs"


def ledger_differences(row: dict[str, Any]) -> str:
    return ", ".join(f"{row[kind]:,} {kind}" for kind in DIFFERENCES if row[kind])


def ledger_count(title: str, meaning: str) -> object:
    return st.column_config.NumberColumn(title, format="localized", width=90, help=meaning)


def verdict(status: str, severity: str) -> str:
    """A rule's result with a sign: a warning is not a failure, a rule that could not run is."""
    if status == "fail":
        return "✕ fail" if severity == "fail" else "▲ warn"
    return {"pass": "✓ pass", "error": "! error"}.get(status, status)


def quality_results() -> None:
    results = data.quality_results()
    if results.empty:
        ui.empty("No quality rule has been checked", "The DAG **data_quality** checks them after each merge.")
        return
    failed = results["status"] != "pass"
    severe = failed & ((results["severity"] == "fail") | (results["status"] == "error"))
    cards = st.columns(4)
    cards[0].metric("Rules passed", f"{(~failed).sum()} of {len(results)}", border=True)
    cards[1].metric(
        "Failures", f"{severe.sum()}", border=True, help="Rules of severity fail, and rules that could not run."
    )
    cards[2].metric("Warnings", f"{(failed & ~severe).sum()}", border=True)
    cards[3].metric("Last checked", f"{ui.age(results['checked_at'].max())} ago", border=True)
    ranked = results.assign(
        result=[verdict(*row) for row in zip(results["status"], results["severity"], strict=True)],
        rank=(~failed).astype(int) - severe.astype(int),
        failing_since=results["failing_since"].where(failed),
    ).sort_values(["rank", "rule"])
    for result in ranked[ranked["status"] != "pass"].itertuples():
        failing_rule(result)
    with st.expander("All rules", expanded=not failed.any(), icon=":material/checklist:"):
        st.dataframe(
            ranked[["result", "rule", "severity", "failing_since", "failed_count", "message", "checked_at"]],
            hide_index=True,
            column_config={
                "result": st.column_config.TextColumn("Result", width="small"),
                "rule": st.column_config.TextColumn("Rule", width="medium"),
                "severity": st.column_config.TextColumn("Severity", width="small"),
                "failing_since": ui.time_column("Failing since, UTC"),
                "failed_count": st.column_config.NumberColumn("Offending", format="localized", width="small"),
                "message": st.column_config.TextColumn("What it means, or its error", width="large"),
                "checked_at": ui.time_column("Checked, UTC"),
            },
        )


def failing_rule(result: Any) -> None:
    """A rule that holds no more: since when, what it means, what to do, and the keys to look at."""
    rule = rules_by_name().get(result.rule)
    is_severe = result.severity == "fail" or result.status == "error"
    samples = json.loads(result.samples)
    with st.container(border=True):
        st.markdown(
            f":{'red' if is_severe else 'orange'}-badge[{result.result}] **{result.rule}** · severity {result.severity}"
            + (f" · failing for **{ui.age(result.failing_since)}**" if not pd.isna(result.failing_since) else "")
            + (f", since {result.failing_since:%Y-%m-%d %H:%M:%S} UTC" if not pd.isna(result.failing_since) else "")
        )
        if result.status == "error":
            st.markdown("The rule could not run, which is no pass.")
            st.code(result.message, language=None, wrap_lines=True)
        else:
            st.markdown(result.message)
        if rule is not None:
            link = f"{quality.RUNBOOK}#a-rule-could-not-run" if result.status == "error" else rule.link
            todo = f"**What to do:** {rule.action} " if result.status != "error" else ""
            st.markdown(f"{todo}Runbook `{link}`, rule `sql/quality/{rule.name}.sql`, owner {rule.owner}.")
        if samples:
            st.caption(f"{result.failed_count:,.0f} offending" + (", among them:" if result.failed_count > 20 else ":"))
            # Keys are data: as code, nothing in them is taken for formatting.
            st.code("\n".join(samples), language=None)


@cache
def rules_by_name() -> dict[str, quality.Rule]:
    """The rules as this checkout has them; what ran may have had others."""
    return {rule.name: rule for rule in quality.read()[0]}


def load_history() -> None:
    files = data.load_history(hours)
    if files.empty:
        ui.empty(
            f"No file was loaded in the last {hours} h",
            "Snowpipe loads what lands under telemetry-data/: start **generate_traffic**, or look at the DAG "
            "**monitor_snowpipe**.",
        )
        return
    bad = files["error_count"].fillna(0) > 0
    cards = st.columns(4)
    cards[0].metric("Files", f"{len(files):,}", border=True, help="The newest, at most 200.")
    cards[1].metric("Rows loaded", f"{files['row_count'].sum():,.0f}", border=True)
    cards[2].metric("Files with errors", f"{bad.sum()}", border=True)
    cards[3].metric("Last load", f"{ui.age(files['loaded_at'].max())} ago", border=True)
    st.dataframe(
        files,
        hide_index=True,
        column_order=["loaded_at", "status", "row_count", "error_count", "first_error_message", "file_name"],
        column_config={
            "loaded_at": ui.time_column("Loaded, UTC"),
            "status": st.column_config.TextColumn("Status", width="small"),
            "row_count": st.column_config.NumberColumn("Rows", format="localized", width="small"),
            "error_count": st.column_config.NumberColumn("Errors", format="localized", width="small"),
            "first_error_message": st.column_config.TextColumn("First error", width="medium"),
            "file_name": st.column_config.TextColumn("File", width="large"),
        },
    )


def quarantined() -> None:
    answer = data.quarantine(hours)
    if not answer.listed:
        st.success(
            f"Nothing was quarantined in the last {hours} h: every record that arrived met its contract.",
            icon=":material/check_circle:",
        )
        return
    by_stream = answer.frame.groupby("stream")["records"].sum()
    cards = st.columns(4)
    cards[0].metric("Quarantined", f"{answer.listed:,}", border=True, help=f"Records of the last {hours} h.")
    for card, (stream, records) in zip(cards[1:3], by_stream.items(), strict=False):
        card.metric(str(stream), f"{records:,}", border=True)
    cards[3].metric("Reasons", f"{answer.frame['reason'].nunique()}", border=True)
    chart, counts = st.columns([3, 2])
    with chart.container(border=True):
        st.markdown("**By hour of arrival and reason**")
        st.altair_chart(charts.quarantine_by_hour(answer.frame), width="stretch")
    with counts.container(border=True):
        st.markdown("**By stream and reason**")
        st.dataframe(
            answer.frame.groupby(["stream", "reason"], as_index=False)["records"]
            .sum()
            .sort_values("records", ascending=False),
            hide_index=True,
            height=charts.HEIGHT,
            column_config={
                "stream": "Stream",
                "reason": "Reason",
                "records": st.column_config.NumberColumn("Records", format="localized"),
            },
        )
    if answer.unread:
        st.caption(
            f"Reasons were read from the newest {data.MAX_QUARANTINE_READS:,}; {answer.unread:,} were only counted."
        )
    st.caption(
        "Each object under quarantine/ holds the reason, the envelope and the raw bytes, so that it can be replayed."
    )


live()
