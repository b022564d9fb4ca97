"""Live clicks: clicks of the last minutes or hours, a ranking of items, and the hours of one item, from DynamoDB."""

import streamlit as st

from dashboard import access, choices, ui
from dashboard.app_pages.click_parts import item, live, ranking

LIVE, RANKING, ITEM = "live", "ranking", "hours"
PARTS = {LIVE: "Live", RANKING: "Ranking", ITEM: "One item"}
# While a ranking is being read, the page goes on sooner, if it refreshes at all.
READING, READING_SECONDS = "clicks_being_read", 2

chosen = ui.filters()
ui.header("Live clicks", "Customers' clicks from DynamoDB: live, ranked, and hour by hour for one item.")
reads_on = st.session_state.get(READING, False)


@access.fragment(READING_SECONDS if reads_on and chosen.refresh else chosen.refresh)
def part() -> None:
    shown = choices.part("Part of the page", list(PARTS), "view", words=PARTS.__getitem__)
    not_read = 0
    # A container for each part: a browser never fills one part's cards with another's.
    with st.container(key=f"clicks_{shown}"), ui.store_section():
        match shown:
            case "ranking":
                not_read = ranking.show(chosen, ("view", ITEM))
            case "hours":
                not_read = item.show()
            case _:
                live.show(chosen)
    if bool(not_read) != reads_on:
        st.session_state[READING] = bool(not_read)
        st.rerun()


part()
