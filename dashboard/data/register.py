"""The register of the fleet on a page: which trucks left, and to which trucks readings were assigned."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import pandas as pd

ASSIGNMENT_COLUMNS = ("reported_id", "begins_at", "ends_at", "truck_id", "decided_at", "decided_by", "reason")


class FleetRegister(NamedTuple):
    """What people decided about trucks and trackers.

    Attributes:
        retired: truck -> when it left the fleet (UTC); only trucks that left.
        assignments: one row per assignment, in :data:`ASSIGNMENT_COLUMNS`; an open end of a period is NaT.
    """

    retired: dict[str, datetime]
    assignments: pd.DataFrame

    def named(self, truck_id: str) -> pd.DataFrame:
        """Return the assignments that give readings to the truck, or take them from its id."""
        names_it = (self.assignments["truck_id"] == truck_id) | (self.assignments["reported_id"] == truck_id)
        return self.assignments[names_it]

    def trucks(self, with_versions: Iterable[str]) -> list[str]:
        """Return the ids of trucks ``with_versions`` of their own and of those that were assigned readings, sorted."""
        return sorted({*with_versions, *self.assignments["truck_id"]})

    def by_truck(self, frame: pd.DataFrame, time: str) -> pd.DataFrame:
        """Return ``frame`` with each row under the truck that the reading of the instant ``time`` belongs to."""
        trucks = frame["truck_id"].copy()
        for each in self.assignments.to_dict("records"):
            of_it = frame["truck_id"] == each["reported_id"]
            if not pd.isna(each["begins_at"]):
                of_it &= frame[time] >= each["begins_at"]
            if not pd.isna(each["ends_at"]):
                of_it &= frame[time] < each["ends_at"]
            trucks[of_it] = each["truck_id"]
        return frame.assign(truck_id=trucks)

    def newest_by_truck(self, frame: pd.DataFrame, time: str) -> pd.DataFrame:
        """Return the newest row of each truck, in the order of ``frame``; retired trucks come last."""
        newest = self.by_truck(frame, time).sort_values(time).drop_duplicates("truck_id", keep="last").sort_index()
        is_retired = newest["truck_id"].isin(list(self.retired))
        return pd.concat([newest[~is_retired], newest[is_retired]], ignore_index=True)


#: Where the register can't be read: everything as it was reported.
NO_REGISTER = FleetRegister({}, pd.DataFrame(columns=list(ASSIGNMENT_COLUMNS)))
