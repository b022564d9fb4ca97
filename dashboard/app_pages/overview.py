"""Overview: whether everything is all right, for who sells, who drives and who runs the pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import pandas as pd
import streamlit as st

from dashboard import access, as_sent, data, fleet_states, quantities, ui, verdicts
from dashboard.verdicts import MINUTES, Problem
from include import names

# The icon of a link.
OPEN = ":material/arrow_forward:"

chosen = ui.filters()
ui.header("Overview", "Are the clicks, the trucks and the pipeline all right?")


class Clicks(NamedTuple):
    """What the stores answered about clicks; None if they can't.  The newest may be that of only some items."""

    pace: verdicts.Pace | None
    newest: datetime | None
    is_newest_of_all: bool


class Pipeline(NamedTuple):
    """What the stores answered about the pipeline; None if they can't, and no stage of a store that can't."""

    stages: list[verdicts.Stage]
    runs: pd.DataFrame | None
    results: pd.DataFrame | None
    hours: pd.DataFrame | None
    quarantined: data.QuarantineSize | None

    @property
    def merged(self) -> list[verdicts.Stage]:
        """How far the history has got: by the last merge, as event times are of clocks of which some run ahead."""
        if self.runs is None:
            return []
        return [verdicts.Stage("the history", None if self.runs.empty else _instant(self.runs["started_at"].max()))]


class Figure(NamedTuple):
    """A number, and where its link leads.

    Attributes:
        title: what it is.
        value: the number as text, or None if it is not known.
        link: the words of the link.
        page: the page behind it, as in ``ui.link``.
        chosen: the choices to set there.
        change: the change from before.
        meaning: the text of the tooltip.
    """

    title: str
    value: str | None
    link: str
    page: str
    chosen: Mapping[str, str | list[str]] = MappingProxyType({})
    change: str | None = None
    meaning: str | None = None


SHOWN_STATES = {
    "Moving": fleet_states.MOVING, "Parked": fleet_states.PARKED, "Silent": fleet_states.SILENT,
}  # fmt: skip


@access.fragment(run_every=chosen.refresh)
def live() -> None:
    failures: dict[str, data.StoreUnavailableError] = {}
    now = data.now()
    clicks, states, register, pipeline = ask(failures, now)
    fleet = None if states is None else fleet_states.fleet(states, register, now)
    if not failures and is_empty(clicks, states, pipeline):
        ui.empty(
            "Nothing has arrived yet",
            "The first numbers appear within a minute of the first records. If nothing sends any, start the DAG "
            "**generate_traffic** in Airflow.",
        )
        return

    of_clicks = verdicts.of_clicks(clicks.pace, clicks.newest, now, is_newest_of_all=clicks.is_newest_of_all)
    of_trucks = verdicts.of_trucks(fleet, now)
    of_pipeline = [
        *verdicts.of_stages([*pipeline.stages, *pipeline.merged]),
        *verdicts.of_quality(pipeline.results),
        *verdicts.of_ledger(pipeline.hours),
    ]
    of_stores = verdicts.of_stores(failures.values())
    with st.container():
        verdict([*of_stores, *of_clicks, *of_trucks, *of_pipeline])
    columns = st.columns([1, 1, 1.2])
    with columns[0].container(border=True):
        title("Clicks", of_clicks, is_known=clicks.pace is not None)
        show_clicks(clicks)
    with columns[1].container(border=True):
        title("Trucks", of_trucks, is_known=fleet is not None)
        show_trucks(fleet)
    with columns[2].container(border=True):
        title("Pipeline", of_pipeline, is_known=not failures)
        show_pipeline(pipeline, clicks)
    for failure in failures.values():
        ui.unavailable(failure)


def ask(
    failures: dict[str, data.StoreUnavailableError], now: datetime
) -> tuple[Clicks, pd.DataFrame | None, data.FleetRegister, Pipeline]:
    """Return what the stores answer, the newest readings of the trucks among it; None if they can't."""
    sums, newest, items, states, register, landing, tables, runs, results, hours, quarantined = ui.ask_all(
        failures,
        partial(data.period_sums, *verdicts.compared_periods(now)),
        data.newest_click,
        data.items,
        data.truck_states,
        data.fleet_register,
        data.newest_landing,
        data.table_freshness,
        data.merge_runs,
        data.quality_results,
        data.ledger,
        partial(data.quarantine_size, 1),
    )
    stages = []
    if states is not None:
        stages.append(verdicts.Stage("truck states", _instant(states["arrival_time"].max())))
    if data.BUCKET_STORE not in failures and data.SETTINGS not in failures:
        stages.append(verdicts.Stage("landing files", landing, data.landing_asked_since(now)))
    if tables is not None:
        loaded = tables.set_index("table_name")["newest"][names.RAW_TABLE]
        stages.append(verdicts.Stage("raw readings", _instant(loaded)))
    return (
        Clicks(None if sums is None else verdicts.pace(sums), newest, len(items or {}) <= data.MAX_ITEMS),
        states,
        register or data.NO_REGISTER,
        Pipeline(stages, runs, results, hours, quarantined),
    )


def is_empty(clicks: Clicks, states: pd.DataFrame | None, pipeline: Pipeline) -> bool:
    """Return whether no store has anything."""
    quiet = clicks.newest is None and states is not None and states.empty
    return quiet and all(stage.newest is None for stage in pipeline.stages)


def verdict(problems: list[Problem]) -> None:
    """Say whether everything is all right, and if not, what is wrong and where to look."""
    if not problems:
        st.success("**Everything is all right.**", icon=":material/check_circle:")
        return
    failures = sum(problem.is_failure for problem in problems)
    with st.container(border=True):
        what = "1 thing needs" if len(problems) == 1 else f"{len(problems)} things need"
        colour, icon = ("red", ":material/error:") if failures else ("orange", ":material/warning:")
        st.markdown(f"## :{colour}[{icon}] {what} attention")
        for problem in sorted(problems, key=lambda each: not each.is_failure):
            icon = ":material/error:" if problem.is_failure else ":material/warning:"
            ui.link(f"{problem.text} →", problem.page, icon=icon, choose=problem.chosen)


def title(name: str, problems: list[Problem], *, is_known: bool) -> None:
    """Show the name of a part, and a sign that says whether it is all right."""
    if any(problem.is_failure for problem in problems):
        sign = ":red-badge[:material/error: something is wrong]"
    elif problems:
        sign = ":orange-badge[:material/warning: needs attention]"
    elif is_known:
        sign = ":green-badge[:material/check_circle: all right]"
    else:
        sign = ui.UNKNOWN.badge()
    st.markdown(f"**{name}** {sign}")


def show_clicks(clicks: Clicks) -> None:
    pace = clicks.pace
    top = None if pace is None else pace.top
    figures(
        [
            Figure(
                "Clicks per minute",
                None if pace is None else rate(pace.per_minute),
                "Live clicks",
                "live_clicks",
                {"view": "live", "window": f"{MINUTES} minutes"},
                change=None if pace is None or pace.change is None else f"{pace.change:+.0%} on yesterday",
                meaning=f"The mean of the last {MINUTES} full minutes, and the change from the same minutes yesterday.",
            ),
            Figure(
                "Yesterday",
                None if pace is None else rate(pace.yesterday),
                "Ranking",
                "live_clicks",
                {"view": "ranking", "period": "window", "against": "day", "window": f"{MINUTES} minutes"},
                meaning="Clicks per minute at the same time yesterday.",
            ),
            Figure(
                "Most clicked",
                None if top is None else as_sent.markdown(top[1]),
                "All items" if top is None else "This item",
                "live_clicks",
                {"view": "ranking"} if top is None else {"view": "hours", "item": top[0]},
                meaning=None if top is None else f"{as_sent.markdown(top[1])}: {quantities.count(top[2])} clicks.",
            ),
            Figure(
                "Newest click",
                None if clicks.newest is None else f"{ui.age(clicks.newest)} ago",
                "Live clicks",
                "live_clicks",
                {"view": "live"},
            ),
        ]
    )
    if pace is not None and pace.is_partial:
        st.caption("Some items are still being read, so these numbers will rise.")


def rate(per_minute: float) -> str:
    return quantities.count(round(per_minute)) if per_minute >= 10 else f"{per_minute:.1f}"


def show_trucks(fleet: fleet_states.Fleet | None) -> None:
    shown = []
    for name, state in SHOWN_STATES.items():
        trucks = None if fleet is None else fleet.trucks[fleet.trucks["state"] == state]
        shown.append(trucks_figure(name, trucks))
    ill = None if fleet is None else quantities.count(len(fleet.needing_attention))
    figures([*shown, Figure("Need attention", ill, "Maintenance", "maintenance")])


def trucks_figure(name: str, trucks: pd.DataFrame | None) -> Figure:
    """Return the number of trucks, with a link to these trucks on the map."""
    if trucks is None:
        return Figure(name, None, "Map", "fleet")
    return Figure(name, quantities.count(len(trucks)), "Map", "fleet", verdicts.only(trucks))


def show_pipeline(pipeline: Pipeline, clicks: Clicks) -> None:
    stages = [verdicts.Stage("clicks", clicks.newest), *pipeline.stages]
    rows = [
        f"| {stage.name} | {ui.age(stage.newest)} | {ui.level(ui.age_seconds(stage.newest)).badge()} |"
        for stage in stages
    ]
    st.markdown("\n".join(["| newest | age | |", "|---|---|---|", *rows]))
    ui.link("How fresh each store is", "pipeline_health", icon=OPEN)
    figures(
        [
            Figure("Failing rules", failing_rules(pipeline.results), "Quality", "pipeline_health", {"part": "Quality"}),
            Figure(
                "Quarantined, last hour",
                None if pipeline.quarantined is None else quantities.at_least(*pipeline.quarantined),
                "Quarantine",
                "pipeline_health",
                {"part": "Quarantine"},
                meaning=f"At most {data.MAX_KEYS_PER_HOUR:,} objects of each hour and stream are counted.",
            ),
            Figure("Balanced hours", balance(pipeline.hours), "Ledger", "pipeline_health", {"part": "Ledger"}),
            Figure("Last merge", last_merge(pipeline.runs), "Merge runs", "pipeline_health", {"part": "Merge runs"}),
        ]
    )


def failing_rules(results: pd.DataFrame | None) -> str | None:
    if results is None or results.empty:
        return None
    return f"{verdicts.failing(results)[0].sum()} of {len(results)}"


def balance(hours: pd.DataFrame | None) -> str | None:
    if hours is None or hours.empty:
        return None
    closed = hours[~hours["is_open"].astype(bool)]
    return f"{closed['balanced'].astype(bool).sum()} of {len(closed)}"


def last_merge(runs: pd.DataFrame | None) -> str | None:
    return None if runs is None or runs.empty else f"{ui.age(runs['started_at'].max())} ago"


def figures(shown: list[Figure]) -> None:
    """Show figures two in a row, each above its link."""
    for first in range(0, len(shown), 2):
        for column, figure in zip(st.columns(2), shown[first : first + 2], strict=False):
            with column:
                value = ui.UNKNOWN_VALUE if figure.value is None else figure.value
                st.metric(figure.title, value, figure.change, delta_color="off", help=figure.meaning)
                ui.link(figure.link, figure.page, icon=OPEN, choose=figure.chosen)


def _instant(newest: pd.Timestamp) -> datetime | None:
    return None if pd.isna(newest) else newest.to_pydatetime()


live()
