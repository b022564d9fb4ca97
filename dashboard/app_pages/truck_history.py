"""Truck history: the versions of one truck (SCD Type 2), and its state at a chosen instant."""

from datetime import datetime

import pandas as pd
import streamlit as st

from dashboard import access, as_sent, choices, data, quantities, times, ui
from dashboard.charts import truck_charts

GROUPS = {
    "Position": ["gps_latitude", "gps_longitude", "gps_altitude", "gps_speed", "vehicle_speed", "odometer_reading"],
    "Engine": [
        "engine_rpm", "engine_temperature", "oil_pressure", "battery_voltage", "fuel_level", "fuel_consumption",
        "transmission_status",
    ],
    "Brakes and tyre pressures": [
        "brake_status", "tire_pressure_front_left", "tire_pressure_front_right", "tire_pressure_rear_left",
        "tire_pressure_rear_right",
    ],
    "Environment": ["environment_temperature", "environment_humidity", "environment_pressure"],
}  # fmt: skip
SHOWN_CHANGES = 4
VERSION_COLUMNS = ("effective_start_date", "effective_end_date", "lasted", "is_current", "reported_id", "changed")

chosen = ui.filters()
ui.header(
    "Truck history",
    "Each row of TRUCK_HISTORY is a version: the state of a truck from one change to the next.",
)


@access.fragment(run_every=chosen.refresh)
def live() -> None:
    with ui.store_section():
        register = data.fleet_register()
        trucks = sorted({*data.current_rows()["truck_id"], *register.assignments["truck_id"]})
        if not trucks:
            ui.freshness("version", None)
            ui.empty(
                "No history yet",
                "Snowpipe loads readings, and the DAG **scd2_merge** turns them into versions. **Pipeline health** "
                "shows the progress of both.",
            )
            return
        truck = choices.one("Truck", trucks, key="truck")
        count, first, last = data.history_span(truck)
        if truck in register.retired:
            last_seen(register.retired[truck], last)
        else:
            ui.freshness("version", last)
        assignments(register.named(truck), truck)
        if first is None or last is None:
            ui.empty(
                f"{as_sent.markdown(truck)} has no versions",
                "Its readings may belong to another truck, or it may have just been erased. Choose another truck.",
            )
            return
        span = st.columns(3)
        span[0].metric("Versions", f"{count:,}", border=True)
        span[1].metric(times.titled("First version starts"), times.to_the_second(first), border=True)
        span[2].metric(times.titled("Current version since"), times.to_the_second(last), border=True)

        versions = data.versions(truck)
        versions["changed"] = changes(versions)
        starts = versions["effective_start_date"]
        instant = as_of(truck, starts.min() + (starts.max() - starts.min()) / 2, last)
        end = max(pd.Timestamp(data.now()), starts.max())
        with st.container(border=True):
            st.markdown(
                f"**Newest {len(versions):,} versions** · the last one is current, the line marks the instant above"
            )
            visible = instant if starts.min() <= instant <= end else None
            st.altair_chart(truck_charts.version_timeline(versions, end, visible), width="stretch")
            table(versions, count)


def last_seen(retired_at: datetime, last: datetime | None) -> None:
    """Say when the truck left the fleet, in place of the age of its last version: it is not late."""
    seen = "" if last is None else f" · as last seen, in the version of {times.named(last)}"
    st.markdown(f":gray-badge[:material/inventory_2: retired] Left the fleet {times.named(retired_at)}{seen}")


def assignments(named: pd.DataFrame, truck: str) -> None:
    """Say which readings of other ids the history has, and which of the truck's id it has not."""
    lines = []
    for each in named.to_dict("records"):
        since = "from the first one" if pd.isna(each["begins_at"]) else f"from {times.named(each['begins_at'])}"
        until = "" if pd.isna(each["ends_at"]) else f" until {times.named(each['ends_at'])}"
        of, to = as_sent.markdown(each["reported_id"]), as_sent.markdown(each["truck_id"])
        whose = f"belong to {to}" if each["reported_id"] == truck else "are in this history"
        decided = f"{as_sent.markdown(each['decided_by'])}: {as_sent.markdown(each['reason'])}"
        lines.append(f"Readings that {of} reported {since}{until} {whose} · decided by {decided}")
    if lines:
        st.caption("  \n".join(lines))


def changes(versions: pd.DataFrame) -> list[str]:
    """Return which metrics each version (newest first) changed: the names of the first few, for a person to read."""
    metrics = versions[list(data.METRIC_NAMES)]
    before = metrics.shift(-1)
    differs = (metrics != before) & ~(metrics.isna() & before.isna())
    texts = []
    for position, row in enumerate(differs.to_numpy()):
        names = [ui.label(name).split(",")[0] for name, changed in zip(metrics.columns, row, strict=True) if changed]
        more = f" and {len(names) - SHOWN_CHANGES} more" if len(names) > SHOWN_CHANGES else ""
        texts.append("–" if position == len(versions) - 1 else ", ".join(names[:SHOWN_CHANGES]) + more)
    return texts


def as_of(truck: str, middle: datetime, last: datetime) -> datetime:
    """Ask for an instant, show the truck's state at that instant, and return the instant."""
    with st.container(border=True):
        st.markdown("**As of** · the state of the truck at an instant")
        text = choices.text(
            times.titled("Instant"),
            times.to_the_second(middle),
            key="at",
            meaning=f"A date and time in {times.zone_name()}, such as 2026-11-22 14:05:30, or one with an offset.",
            of=truck,
        )
        instant = times.typed(text)
        if instant is None:
            st.warning(
                f"{as_sent.markdown(text)} is not a date and time from the year 1 to the year 9999. "
                f"Enter one such as {times.to_the_second(last)}."
            )
            return last
        found = data.as_of(truck, instant)
        if found.empty:
            st.info(
                f"{as_sent.markdown(truck)} has no version at that instant: its history starts later.",
                icon=":material/history:",
            )
            return instant
        row = found.iloc[0]
        end = row["effective_end_date"]
        until = "now (current)" if pd.isna(end) else times.named(end)
        st.caption(f"Version valid from {times.named(row['effective_start_date'])} until {until}")
        for column, (group, names) in zip(st.columns(len(GROUPS)), GROUPS.items(), strict=True):
            lines = [f"{short(name)}: {value(row[name], name)}" for name in names]
            column.markdown(f":gray[{group}]\n\n" + "  \n".join(lines))
        return instant


def short(name: str) -> str:
    """Return a metric's label without its unit, and without the words of its group's heading."""
    words = ui.label(name).split(",")[0].removeprefix("Tyre pressure ").removeprefix("Environment ")
    return words[0].upper() + words[1:]


def value(of: object, name: str) -> str:
    """Return the Markdown of a metric with its unit, or ``–`` for NULL."""
    if of is None or pd.isna(of):
        return ui.UNKNOWN_VALUE
    if isinstance(of, str):
        return as_sent.markdown(of)
    decimals = 5 if name in {"gps_latitude", "gps_longitude"} else 1
    return f"**{of:,.{decimals}f} {ui.UNITS[name]}**"


def lasted(seconds: float) -> str:
    """Return how long a version lasted, or nothing for the current one.

    A version lasts milliseconds where a truck sends several readings per second.
    """
    if pd.isna(seconds):
        return ""
    return quantities.duration(seconds) if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def table(versions: pd.DataFrame, count: int) -> None:
    length = (versions["effective_end_date"] - versions["effective_start_date"]).dt.total_seconds()
    shown = versions.assign(lasted=[lasted(seconds) for seconds in length])
    st.dataframe(
        shown[[*VERSION_COLUMNS, *data.METRIC_NAMES]],
        hide_index=True,
        placeholder=ui.UNKNOWN_VALUE,
        height=320,
        column_config={name: st.column_config.NumberColumn(ui.label(name), format="%.5g") for name in ui.UNITS}
        | {
            "effective_start_date": times.column("Start", precision="milliseconds"),
            "effective_end_date": times.column("End", precision="milliseconds"),
            "lasted": st.column_config.TextColumn("Lasted", width="small"),
            "is_current": st.column_config.CheckboxColumn("Current", width="small"),
            "reported_id": st.column_config.TextColumn("Reported by", width="small"),
            "changed": st.column_config.TextColumn("Changed", width="large"),
            "brake_status": "Brakes",
            "transmission_status": "Transmission",
        },
    )
    if count > len(versions):
        st.caption(
            f"The table shows the newest {len(versions):,} of {count:,} versions. "
            "The instant above can be in any of them."
        )


live()
