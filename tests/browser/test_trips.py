"""The page Trips as a person sees it: a day on the map, its time line by keyboard, one trip alone, the download."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.pages import no_traceback, settled
from tests.browser.server import Dashboard
from tests.browser.stores import Stores

pytestmark = pytest.mark.browser


@pytest.mark.verify
def test_a_day_is_played_and_downloaded(page: Page, dashboard: Dashboard, stores: Stores) -> None:
    page.goto(f"{dashboard.url}/trips?truck=TRK001&refresh=off")
    expect(page.get_by_text(re.compile("^Driving, 1 trip$"))).to_be_visible()
    expect(page.get_by_test_id("stDeckGlJsonChart").locator("canvas").first).to_be_visible()
    settled(page)
    line = page.get_by_role("slider")
    last = line.input_value()
    line.focus()
    page.keyboard.press("Home")
    expect(line).to_have_value("0")
    page.get_by_role("button", name="Play").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(line).not_to_have_value("0")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    assert line.input_value() != last
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    assert re.fullmatch(r"trips_TRK001_\d{4}-\d\d-\d\d\.csv", download.value.suggested_filename)
    no_traceback(page)
