"""Every page of the navigation: it opens, is quiet and orderly, and everybody can use it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import watched
from tests.browser.pages import barriers, choose, disorder, no_traceback, open_page, picture, settled, titles
from tests.browser.server import Dashboard

pytestmark = pytest.mark.browser

# Ahead of UTC by half an hour more than whole hours.
ZONE, OFFSET = "Asia/Kolkata", "UTC+05:30"
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1440, "height": 1100}


@pytest.fixture
def page_in_india(browser: BrowserContext) -> Iterator[Page]:
    """A tab of a browser that prefers dark pages, in a zone that is not UTC."""
    assert browser.browser is not None
    context = browser.browser.new_context(viewport=DESK, timezone_id=ZONE, color_scheme="dark", reduced_motion="reduce")
    with context, watched(context) as page:
        yield page


def test_every_page_opens_and_is_orderly(page: Page, dashboard: Dashboard) -> None:
    # A refresh in the middle would disturb what is measured.
    page.goto(f"{dashboard.url}/?refresh=off")
    wrong = {}
    for title in titles(page):
        open_page(page, title)
        settled(page)
        no_traceback(page)
        expect(page).to_have_title(f"{title} · Clicks to Deliveries")
        wrong[title] = disorder(page) + barriers(page)
    assert len(wrong) >= 4
    assert {title: found for title, found in wrong.items() if found} == {}


def test_a_shared_address_opens_the_same_view(page_in_india: Page, dashboard: Dashboard) -> None:
    page = page_in_india
    page.goto(f"{dashboard.url}/fleet?nonsense=%00&window=never&refresh=&zone=mars&zone=Local")
    settled(page)
    no_traceback(page)
    choose(page, "Time window", "1 hour")
    expect(page).to_have_url(re.compile("window=1\\+hour"))
    choose(page, "Times in", "yours")
    expect(page.get_by_text(OFFSET).first).to_be_visible()
    open_page(page, "Truck history")
    # The choices that all pages share come along, in an address that another person can open.
    expect(page).to_have_url(re.compile("zone=local"))
    address = page.url
    assert parse_qs(urlsplit(address).query) == {"window": ["1 hour"], "zone": ["local"]}
    page.goto(f"{address}&truck=TRK002")
    expect(page.get_by_test_id("stMain").get_by_role("combobox").first).to_have_value("TRK002")
    expect(page.get_by_text(OFFSET).first).to_be_visible()
    choose(page, "Time window", "15 minutes")
    # A default stays out of the address.
    expect(page).not_to_have_url(re.compile("window"))
    page.go_back()
    expect(page.get_by_test_id("stSidebar").get_by_role("combobox").first).to_have_value("1 hour")
    expect(page).to_have_url(re.compile("window=1\\+hour.*truck=TRK002|truck=TRK002.*window=1\\+hour"))


@pytest.mark.verify
@pytest.mark.timeout(900)
@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_every_page_in_both_themes_zones_and_widths(page_in_india: Page, dashboard: Dashboard, theme: str) -> None:
    page = page_in_india
    page.goto(f"{dashboard.url}/?refresh=off")
    settled(page)
    page.get_by_test_id("stMainMenuButton").click()
    page.get_by_role("menuitemradio", name=theme).click()
    page.keyboard.press("Escape")
    wrong = {}
    for title in titles(page):
        open_page(page, title)
        settled(page)
        picture(page, theme.lower())
        wrong[title, "wide"] = disorder(page) + barriers(page)

        choose(page, "Times in", "yours")
        settled(page)
        expect(page.get_by_text(re.compile(re.escape(OFFSET) + "|" + ZONE)).first).to_be_attached()
        choose(page, "Times in", "UTC")
        choose(page, "Refresh every", "2 seconds")
        page.get_by_test_id("stMain").evaluate("e => e.scrollTo(0, 150)")
        page.wait_for_timeout(4500)  # Two refreshes.
        scrolled = page.get_by_test_id("stMain").evaluate("e => [e.scrollTop, e.scrollHeight - e.clientHeight]")
        assert scrolled[0] == min(150, scrolled[1])
        choose(page, "Refresh every", "off")
        no_traceback(page)

        page.set_viewport_size(PHONE)
        settled(page)
        picture(page, f"{theme.lower()}_phone")
        wrong[title, "phone"] = disorder(page) + barriers(page)
        page.set_viewport_size(DESK)
    assert {place: found for place, found in wrong.items() if found} == {}
