"""positions.py: which positions are doubtful, and that they neither stretch a map nor hide a truck."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from dashboard import base_map, data, positions
from tests.unit.dashboard.pages import metrics, reading, run, typed

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("empty_stores")]

START = datetime(2026, 11, 22, 14, tzinfo=UTC)
BERLIN, NAIROBI, NEW_YORK, ZERO = (52.52, 13.405), (-1.2921, 36.8219), (40.71, -74.0), (0.0, 0.0)
Place = tuple[float, float]


def track_of(truck: str, *places: Place, seconds: float = 10) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "truck_id": truck,
            "last_time": [pd.Timestamp(START + timedelta(seconds=seconds * number)) for number in range(len(places))],
            "gps_latitude": [place[0] for place in places],
            "gps_longitude": [place[1] for place in places],
        }
    )


def state_of(track: pd.DataFrame) -> pd.DataFrame:
    return track.groupby("truck_id", as_index=False).last().rename(columns={"last_time": "event_time"})


def shown(track: pd.DataFrame) -> list[Place]:
    kept = positions.checked(state_of(track), track).track
    return list(zip(kept["gps_latitude"], kept["gps_longitude"], strict=True))


def driving(places: int) -> list[Place]:
    return [(BERLIN[0] + 0.001 * number, BERLIN[1]) for number in range(places)]


@pytest.mark.parametrize(
    "odd",
    [
        ZERO,
        (0.0, -0.0),
        (0.01, 0.02),
        (90.0, 13.4),
        (-90.0, 0.0),
        NAIROBI,
        (BERLIN[0], -BERLIN[1]),  # A lost sign,
        (-BERLIN[0], BERLIN[1]),
        (BERLIN[1], BERLIN[0]),  # and swapped.
    ],
)
@pytest.mark.parametrize("where", [0, 3, 6])
def test_one_odd_position_is_left_out_wherever_it_comes(odd: Place, where: int) -> None:
    places = driving(6)
    assert shown(track_of("T", *places[:where], odd, *places[where:])) == places


def test_several_odd_positions_are_left_out() -> None:
    places = driving(7)
    assert shown(track_of("T", NAIROBI, *places[:3], ZERO, NAIROBI, *places[3:], NAIROBI)) == places


@pytest.mark.parametrize(
    ("places", "seconds"),
    [
        (driving(5), 10),
        ([BERLIN, NAIROBI], 24 * 3600),  # In a day, by air freight.
        ([(0.0, 179.999), (0.0, -179.999), (0.0, 179.998)], 10),  # Across the date line.
        ([(52.52, 13.40), (52.53, 13.41)], 0),  # Two fixes of one instant.
        ([BERLIN], 10),
    ],
)
def test_what_a_truck_can_drive_is_kept(places: list[Place], seconds: float) -> None:
    assert shown(track_of("T", *places, seconds=seconds)) == places


def test_trucks_of_two_continents_are_both_right() -> None:
    both = pd.concat([track_of("A", BERLIN, BERLIN), track_of("B", NEW_YORK, NEW_YORK)], ignore_index=True)
    assert shown(both) == [BERLIN, BERLIN, NEW_YORK, NEW_YORK]


def test_a_truck_is_drawn_at_its_last_position_that_is_not_doubtful() -> None:
    track = track_of("T", *driving(3), NAIROBI)
    (state,) = positions.checked(state_of(track), track).states.to_dict("records")
    assert (state["gps_latitude"], state["gps_longitude"]) == driving(3)[-1]
    assert state["doubtful_position"] == "-1.29210, 36.82190"


@pytest.mark.parametrize("latitude", [0.0, np.nan])
def test_a_truck_without_a_good_position_is_nowhere(latitude: float) -> None:
    state = typed([reading("T", START, gps_latitude=latitude, gps_longitude=0.0)])
    (checked,) = positions.checked(state, state.head(0).assign(last_time=[])).states.to_dict("records")
    assert np.isnan(checked["gps_latitude"])
    assert checked["doubtful_position"] == ("0.00000, 0.00000" if latitude == 0 else "")


@pytest.mark.parametrize(
    ("track", "degrees"),
    [
        (track_of("T", (52.50, 13.40), (52.51, 13.40)), 0),
        (track_of("T", (52.50, 13.40), (52.50, 13.41)), 90),
        (track_of("T", (52.50, 13.40), (52.60, 13.40), (52.59, 13.40)), 180),
        (track_of("T", (0.0, 179.99), (0.0, -179.99)), 90),  # Across the date line.
        (track_of("T", (52.50, 13.41), (52.50, 13.40), (52.50, 13.40001)), 270),  # It stands, and GPS drifts.
        (track_of("T", (52.50, 13.40), (52.50, 13.40001)), np.nan),
        (track_of("T", (52.50, 13.40)), np.nan),
    ],
)
def test_a_truck_heads_where_its_last_moves_lead(track: pd.DataFrame, degrees: float) -> None:
    heading = positions.headings(state_of(track), track)
    assert heading.tolist() == pytest.approx([degrees], abs=0.01, nan_ok=True)


def test_one_truck_at_0_0_does_not_stretch_the_map_and_is_marked(
    monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    rows = [
        reading("TRK001", now, gps_latitude=40.0, gps_longitude=-83.0),
        reading("TRK002", now, gps_latitude=0.0, gps_longitude=0.0),
        reading("TRK003", now, gps_latitude=40.1, gps_longitude=-83.1, fuel_level=1.0),
        reading("TRK004", now, gps_latitude=-1.0, gps_longitude=36.0),
    ]
    jumped = track_of("TRK004", (40.2, -83.2), (40.2, -83.2), (40.2, -83.2)).assign(
        slice_start=pd.Timestamp(now), vehicle_speed=1.0, fuel_level=1.0, fuel_consumption=1.0, engine_temperature=1.0
    )
    fitted: list[tuple[list[float], list[float]]] = []
    fit = base_map.fitted
    monkeypatch.setattr(base_map, "fitted", lambda *places: fitted.append(places) or fit(*places))
    monkeypatch.setattr(data, "truck_states", lambda: typed(rows))
    monkeypatch.setattr(
        data, "tracks", lambda minutes: jumped.assign(last_time=pd.Timestamp(now) - pd.Timedelta("1min"))
    )
    page = run("fleet")
    assert fitted == [([-83.0, -83.1, -83.2], [40.0, 40.1, 40.2])]
    assert list(page.dataframe[0].value["attention"]) == [
        "no",
        "position 0.00000, 0.00000 is doubtful",
        "fuel 1 %",
        "position -1.00000, 36.00000 is doubtful",
    ]
    assert metrics(page)["Need attention"] == "1"
    page.selectbox(key="truck").set_value("TRK004").run()
    card = dict(page.dataframe[0].value.to_numpy().tolist())
    # The card has what the truck sent, the map where it was last.
    assert (card["Latitude"], card["Longitude"]) == ("-1.00000 °", "36.00000 °")
    assert fitted[1:] == [([-83.2], [40.2])]
    captions = [caption.value for caption in page.caption]
    assert "`TRK002` reports 0.00000, 0.00000, which is doubtful: not on the map." in captions
    assert any(each.startswith("`TRK004` reports -1.00000, 36.00000, which is doubtful: shown") for each in captions)
