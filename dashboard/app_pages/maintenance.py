"""Maintenance: the trucks that need attention, why and since when, the worst first."""

from collections.abc import Sequence
from functools import partial

import pandas as pd
import streamlit as st

from dashboard import access, as_sent, choices, data, fleet_states, health, times, ui
from dashboard.app_pages.truck_history.timeline import key_of
from dashboard.health import STOP, WATCH, WORKSHOP
from dashboard.maintenance import Case, Finding, cases, trend_in_words
from dashboard.quantities import duration

FINDINGS_HOURS = 24
NO_SINCE = pd.DataFrame(columns=["truck_id", "metric", "since", "is_longer"])
NO_TRENDS = pd.DataFrame(columns=["truck_id", "metric_name", "verdict"])
NO_FINDINGS = pd.DataFrame(columns=["rule", "truck_id", "readings", "first_found_at", "event_time", "detail"])

chosen = ui.filters()
ui.header(
    "Maintenance",
    "Trucks that need attention, worst first. Readings come from DynamoDB; since when, and the trends, from the "
    "history in Snowflake.",
)


@access.fragment(run_every=chosen.refresh)
def live() -> None:
    failures: dict[str, data.StoreUnavailableError] = {}
    readings, register, since, trends, findings = ui.ask_all(
        failures,
        data.truck_states,
        data.fleet_register,
        partial(data.attention_since, health.limits()),
        partial(data.trends, health.trend_limits(), health.TREND_DAYS),
        partial(data.open_findings, FINDINGS_HOURS),
    )
    if readings is None:
        current = ui.ask(failures, data.current_rows)
        readings = None if current is None else fleet_states.readings_of_history(current)
    if readings is not None:
        ui.freshness("reading", readings["event_time"].max() if len(readings) else None)
    for failure in failures.values():
        ui.unavailable(failure)
    if readings is None:
        return
    if readings.empty:
        ui.empty(
            "No truck has reported yet",
            "Start traffic with the DAG **generate_traffic** in Airflow. Trucks appear here seconds later.",
        )
        return
    trucks = fleet_states.fleet(readings, register or data.NO_REGISTER, data.now()).trucks
    trucks = trucks[trucks["state"] != fleet_states.RETIRED]
    doubted = NO_FINDINGS if findings is None else findings[findings["truck_id"].isin(trucks["truck_id"])]
    needy = cases(trucks, NO_SINCE if since is None else since, NO_TRENDS if trends is None else trends)
    cards(trucks, needy)
    if needy:
        listed(needy, doubted)
    else:
        st.success("No truck needs attention.", icon=":material/check_circle:")
    if len(trucks):
        one_truck(sorted(trucks["truck_id"]), needy, doubted)
    rules()


def cards(trucks: pd.DataFrame, needy: Sequence[Case]) -> None:
    """Show how many trucks need attention, by urgency, and of how many nobody knows."""
    columns = st.columns(5)
    columns[0].metric("Need attention", f"{len(needy)} of {len(trucks)}", border=True)
    for column, urgency in zip(columns[1:4], (STOP, WORKSHOP, WATCH), strict=True):
        count = sum(case.urgency == urgency for case in needy)
        column.metric(f"{urgency.mark} {urgency.word.capitalize()}", f"{count}", border=True)
    columns[4].metric(
        "Silent",
        f"{(trucks['state'] == fleet_states.SILENT).sum()}",
        border=True,
        help="Nobody has heard from them for 15 minutes. What is said of them is from their last reading.",
    )


def listed(needy: Sequence[Case], doubted: pd.DataFrame) -> None:
    """Show the trucks that need attention in a table, the worst first.  A selected row is the truck below."""
    doubts = doubted.groupby("truck_id").size()
    table = pd.DataFrame(
        {
            "urgency": [f"{case.urgency.mark} {case.urgency.word}" for case in needy],
            "truck": [case.truck_id for case in needy],
            "why": [as_sent.visible(" · ".join(finding.text for finding in case.findings)) for case in needy],
            "lasting": [ui.age(case.since) for case in needy],
            "since": pd.to_datetime([case.since for case in needy], utc=True),
            "state": [
                f"{case.state} for {ui.age(case.heard_at)}" if case.state == fleet_states.SILENT else case.state
                for case in needy
            ],
            "doubts": [int(doubts.get(case.truck_id, 0)) for case in needy],
        }
    )
    # Wide enough for the ids, up to a limit; a click on a longer one shows all of it.
    width = min(max(80, 10 * int(table["truck"].str.len().max())), 180)
    key = key_of("needy", *table["truck"])
    st.dataframe(
        table,
        hide_index=True,
        placeholder=ui.UNKNOWN_VALUE,
        key=key,
        selection_mode="single-row",
        on_select=lambda: _select(key, list(table["truck"])),
        column_config={
            "urgency": st.column_config.TextColumn("Urgency", width=130),
            "truck": st.column_config.TextColumn("Truck", width=width, pinned=True),
            "why": st.column_config.TextColumn("Why", width="medium"),
            "lasting": st.column_config.TextColumn("For", width=60),
            "since": times.column("Since"),
            "state": st.column_config.TextColumn("State", width=130),
            "doubts": st.column_config.NumberColumn(
                "Doubts",
                width=80,
                help="Rules that call its readings implausible: check the sensor first.",
            ),
        },
    )


def _select(key: str, trucks: list[str]) -> None:
    rows = st.session_state[key]["selection"]["rows"]
    if rows:
        choices.put("truck", trucks[rows[0]])


def one_truck(trucks: Sequence[str], needy: Sequence[Case], doubted: pd.DataFrame) -> None:
    """Show one truck: its findings, what its slow values do, and where to look further."""
    with st.container(border=True):
        truck = choices.one("Truck", trucks, key="truck", default=needy[0].truck_id if needy else None)
        left, right = st.columns(2)
        with left:
            case = next((case for case in needy if case.truck_id == truck), None)
            st.markdown("**Needs attention**" if case else "**Needs no attention**")
            if case:
                # Not Markdown: a status is whatever the device sent.
                st.text("\n".join(as_sent.visible(in_words(finding)) for finding in case.findings))
            doubts = doubted[doubted["truck_id"] == truck]
            if len(doubts):
                st.markdown(f"**Doubtful values** · found in the last {FINDINGS_HOURS} h")
                st.text("\n".join(as_sent.visible(f"{row.rule}: {row.detail}") for row in doubts.itertuples()))
        with right, ui.store_section():
            trends = data.trends(health.trend_limits(), health.TREND_DAYS, truck)
            st.markdown(f"**Slow changes** · the last day against up to {health.TREND_DAYS} days before it")
            if trends.empty:
                st.caption("Too few readings in the last days to compare.")
            else:
                slow_changes(trends)
        row = st.container(horizontal=True)
        with row:
            ui.link("History", "truck_history", icon=":material/history:", truck=truck, span="7 days")
            ui.link("Map", "fleet", icon=":material/map:", truck=truck)
            ui.link("Trips", "trips", icon=":material/route:", truck=truck)


def in_words(finding: Finding) -> str:
    """Return a finding with its beginning."""
    text = f"{finding.urgency.mark} {finding.text}"
    if finding.since is None:
        return text
    length = duration(ui.age_seconds(finding.since) or 0)
    if finding.is_longer:
        return f"{text}, for {length} or longer: at least since {times.named(finding.since)}"
    return f"{text}, for {length}: since {times.named(finding.since)}"


def slow_changes(trends: pd.DataFrame) -> None:
    """Show what each slow value of a truck did."""
    marks = {"worse": "▼ worse", "steady": "● steady", "too few": "– too few"}
    table = pd.DataFrame(
        {
            "verdict": trends["verdict"].map(marks),
            "words": [trend_in_words(row) for row in trends.to_dict("records")],
            "days": trends["past_days"],
        }
    )
    st.dataframe(
        table,
        hide_index=True,
        placeholder=ui.UNKNOWN_VALUE,
        height="content",
        column_config={
            "verdict": st.column_config.TextColumn("Trend", width="small"),
            "words": st.column_config.TextColumn("Last day", width="large"),
            "days": st.column_config.NumberColumn("Days compared", width="small"),
        },
    )


def rules() -> None:
    """Show the limits, the order and what a trend is."""
    with st.expander("Limits and order"):
        st.dataframe(
            pd.DataFrame(
                [(f"{rule.urgency.mark} {rule.urgency.word}", rule.what, rule.limit) for rule in health.rules()],
                columns=["Urgency", "Rule", "Limit"],
            ),
            hide_index=True,
            height="content",
        )
        st.markdown(
            "The most urgent finding of a truck decides its place: what stops it comes before what the workshop does, "
            "and that before what can wait. Then come more findings before fewer, and older ones before newer.\n\n"
            "*Since* is when the value was last in order. The history is searched "
            f"{data.ATTENTION_DAYS} days back.\n\n"
            f"*Its past* is the median of up to {health.TREND_DAYS} days before the last 24 hours. A day counts if it "
            f"has readings in at least {health.FEWEST_HOURS} hours, and there must be {health.FEWEST_DAYS} such days. "
            f"A change counts if it is also {health.USUAL_TIMES} times as large as the usual difference from day to "
            "day. A value that got better by its limit, such as a tyre that was filled, begins a new past. A heavier "
            "load or a heat wave can look like an engine that runs hotter. Four tyres that lose pressure together look "
            "like cold weather, and give no finding."
        )


live()
