"""Pipeline health: how fresh each store is, and what went wrong on the way to the history."""

from collections.abc import Callable

from dashboard import access, choices, ui
from dashboard.app_pages.pipeline_health import alerts, flow, ledger, loads, merge_runs, quality, quarantine

chosen = ui.filters()
# Alerts, loaded files and quarantined records are found by the hour.
hours = max(1, chosen.minutes // 60)

# Only the open part asks its stores.
PARTS: dict[str, Callable[[], None]] = {
    "Flow": lambda: flow.show(chosen.minutes),
    "Merge runs": merge_runs.show,
    "Ledger": ledger.show,
    "Quality": quality.show,
    "Alerts": lambda: alerts.show(hours),
    "Loads": lambda: loads.show(hours),
    "Quarantine": lambda: quarantine.show(hours),
}

ui.header("Pipeline health", "How far each store is behind, from the stream to the history, and what went wrong where.")


@access.fragment(run_every=chosen.refresh)
def live() -> None:
    part = choices.part("Part of the page", list(PARTS), "part")
    with ui.store_section():
        PARTS[part]()


live()
