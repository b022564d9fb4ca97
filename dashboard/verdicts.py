"""What needs attention in clicks, trucks and the pipeline: pure rules from the stores' answers to sentences with links.

The limits are those of the other pages where these have one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import pandas as pd

from dashboard import as_sent, fleet_states
from dashboard.data import Period, PeriodSums, StoreUnavailableError
from dashboard.quantities import count, duration, number_of

# Clicks are compared over the last so many full minutes.
MINUTES = 15
# A path that is so many seconds behind has stopped.
STOPPED_SECONDS = 900
# So much less than at the same time yesterday deserves attention, unless yesterday had hardly any clicks.
FEWER_CLICKS, FEW_CLICKS = 0.5, 30
# Some invalid records are normal; of the last closed hour's, not more than this share.
QUARANTINED_SHARE = 0.05
# So many names are listed; the page behind the link has the rest.
MOST_NAMED = 3
# So many trucks fit into an address.
MOST_CHOSEN = 20


# Of a link: the key of a choice, and what to choose.
Choices = dict[str, str | list[str]]


class Problem(NamedTuple):
    """Something that needs attention.

    Attributes:
        text: a sentence without its full stop, in Markdown.
        page: where to look, as in ``ui.link``.
        chosen: the choices to set there.
        is_failure: whether something is broken or stopped; otherwise somebody should have a look.
    """

    text: str
    page: str
    chosen: Choices
    is_failure: bool


class Pace(NamedTuple):
    """Clicks per minute, now and at the same time yesterday, and the item with the most clicks.

    Attributes:
        per_minute: the mean of the last minutes.
        yesterday: the same of the same minutes a day before.
        clicks_yesterday: the number of clicks behind ``yesterday``.
        top: ID, name and clicks of the most clicked item, or None if nothing was clicked.
        is_partial: whether some items are still to be read.
    """

    per_minute: float
    yesterday: float
    clicks_yesterday: int
    top: tuple[str, str, int] | None
    is_partial: bool

    @property
    def change(self) -> float | None:
        """The change from yesterday as a share of it, or None without clicks yesterday."""
        return self.per_minute / self.yesterday - 1 if self.yesterday else None


class Stage(NamedTuple):
    """How far the readings have got.

    Attributes:
        name: the name of a stage.
        newest: when the newest of them got there, or None if there is none.
        asked_since: only readings that arrived since then were looked for; None if it is all of them.
    """

    name: str
    newest: datetime | None
    asked_since: datetime | None = None


def compared_periods(now: datetime) -> tuple[Period, Period]:
    """Return the last :data:`MINUTES` full minutes, and the same minutes a day before."""
    until = now.replace(second=0, microsecond=0)
    period = Period(until - timedelta(minutes=MINUTES), until)
    return period, period.before(timedelta(days=1))


def pace(sums: PeriodSums) -> Pace:
    """Return the pace of the clicks in the periods that :func:`compared_periods` returns."""
    clicks, before = (sum(sums.items[column]) for column in ("clicks", "clicks_before"))
    top = max(zip(sums.items["item_id"], sums.items["item_name"], sums.items["clicks"], strict=True), default=None,
              key=lambda item: item[2])  # fmt: skip
    return Pace(clicks / MINUTES, before / MINUTES, before, top if top and top[2] > 0 else None, bool(sums.not_read))


def of_clicks(
    pace: Pace | None, newest: datetime | None, now: datetime, *, is_newest_of_all: bool = True
) -> list[Problem]:
    """Return what is wrong with the clicks; ``newest`` is the time of the newest one.

    The pace is of all items.  If the newest click is that of only some, it proves no stop while the others are clicked,
    and does not say for how long they have not been.
    """
    if pace is None or pace.is_partial:
        return []
    silence = None if newest is None else (now - newest).total_seconds()
    if (silence is None or silence > STOPPED_SECONDS) and pace.clicks_yesterday and pace.per_minute <= 0:
        if not is_newest_of_all:
            since = f"in the last {MINUTES} minutes"
        else:
            since = "in the last 24 hours" if silence is None else f"for {duration(silence)}"
        text = f"No click has arrived {since}, and yesterday at this time there were some"
        return [Problem(text, "live_clicks", {"view": "live", "window": "24 hours"}, is_failure=True)]
    if pace.change is not None and pace.change < -FEWER_CLICKS and pace.clicks_yesterday >= FEW_CLICKS:
        text = f"There are {-pace.change:.0%} fewer clicks than at the same time yesterday"
        return [
            Problem(text, "live_clicks", {"view": "ranking", "period": "window", "against": "day"}, is_failure=False)
        ]
    return []


def of_trucks(fleet: fleet_states.Fleet | None, now: datetime) -> list[Problem]:
    """Return what is wrong with the trucks."""
    if fleet is None or fleet.trucks.empty:
        return []
    problems = []
    active = fleet.trucks[fleet.trucks["state"] != fleet_states.RETIRED]
    silent = active[active["state"] == fleet_states.SILENT]
    if len(silent) and len(silent) == len(active):
        last = silent["heard_at"].max()
        how_long = "" if pd.isna(last) else f" for {duration((now - last).total_seconds())}"
        problems.append(Problem(f"No truck has reported{how_long}", "fleet", {}, is_failure=True))
    elif len(silent):
        problems.append(_of_some(silent, "is silent", "are silent"))
    if len(ill := fleet.needing_attention):
        problems.append(_of_some(ill, "needs attention", "need attention")._replace(page="maintenance", chosen={}))
    if len(lost := fleet.doubtful):
        problems.append(_of_some(lost, "reports a doubtful position", "report doubtful positions"))
    return problems


def of_stages(stages: Sequence[Stage]) -> list[Problem]:
    """Return where readings have stopped, from the first stage to the last; at most one place."""
    before = Stage("", None)
    for after in stages:
        if before.newest is not None:
            if after.newest is None and after.asked_since is not None and before.newest < after.asked_since:
                continue  # The readings before are older than what was looked for here.
            behind = None if after.newest is None else (before.newest - after.newest).total_seconds()
            if behind is None or behind > STOPPED_SECONDS:
                how_far = "there are none" if behind is None else f"{duration(behind)} behind {before.name}"
                text = f"Readings stop before {after.name}: {how_far}"
                return [Problem(text, "pipeline_health", {}, is_failure=True)]
        before = after
    return []


def of_quality(results: pd.DataFrame | None) -> list[Problem]:
    """Return the rules that fail in the last run, those of severity fail first."""
    if results is None or results.empty:
        return []
    failed, severe = failing(results)
    problems = []
    for rules, kind, is_failure in ((results[severe], "fail", True), (results[failed & ~severe], "warn", False)):
        if len(rules):
            verb = f"{kind}s" if len(rules) == 1 else kind
            text = f"{number_of(len(rules), 'quality rule')} {verb}: {_named(rules['rule'])}"
            problems.append(Problem(text, "pipeline_health", {"part": "Quality"}, is_failure))
    return problems


def failing(results: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Return which rules failed, and which of these are failures rather than warnings: a rule that can't run is one."""
    failed = results["status"] != "pass"
    return failed, failed & ((results["severity"] == "fail") | (results["status"] == "error"))


def of_ledger(hours: pd.DataFrame | None) -> list[Problem]:
    """Return which closed hours don't balance, and whether too much of the last one is in quarantine."""
    if hours is None or hours.empty:
        return []
    closed = hours[~hours["is_open"].astype(bool)]
    problems = []
    if differing := int((~closed["balanced"].astype(bool)).sum()):
        text = f"{number_of(differing, 'hour')} of the ledger {'does' if differing == 1 else 'do'} not balance"
        problems.append(Problem(text, "pipeline_health", {"part": "Ledger"}, is_failure=True))
    last = closed[closed["arrival_hour"] == closed["arrival_hour"].max()]
    archived, quarantined = int(last["archived"].sum()), int(last["quarantined"].sum())
    if archived and quarantined > QUARANTINED_SHARE * archived:
        text = f"{quarantined / archived:.0%} of the records of the last closed hour are in quarantine"
        problems.append(Problem(text, "pipeline_health", {"part": "Quarantine"}, is_failure=False))
    return problems


def of_stores(failures: Iterable[StoreUnavailableError]) -> list[Problem]:
    """Return the stores that can't answer."""
    return [Problem(f"{each.store} {each.problem}", "pipeline_health", {}, is_failure=True) for each in failures]


def only(trucks: pd.DataFrame) -> Choices:
    """Return the choices that show only these trucks on the page Fleet; none if an address has no room for them."""
    return {"trucks": list(trucks["truck_id"])} if 0 < len(trucks) <= MOST_CHOSEN else {}


def _of_some(trucks: pd.DataFrame, one: str, many: str) -> Problem:
    listed = list(trucks["truck_id"])
    text = f"{number_of(len(listed), 'truck')} {one if len(listed) == 1 else many}: {_named(listed)}"
    return Problem(text, "fleet", only(trucks), is_failure=False)


def _named(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {count(len(listed) - MOST_NAMED)} more" if len(listed) > MOST_NAMED else ""
    return ", ".join(as_sent.markdown(name) for name in listed[:MOST_NAMED]) + more
