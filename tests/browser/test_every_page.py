"""Every page of the navigation: it opens, is quiet and orderly, and everybody can use it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import PATIENCE, watched
from tests.browser.pages import barriers, choose, disorder, flicker, no_traceback, open_page, picture, settled, titles
from tests.browser.server import Dashboard

pytestmark = pytest.mark.browser

# Ahead of UTC by half an hour more than whole hours.
ZONE, OFFSET = "Asia/Kolkata", "UTC+05:30"
DESK = {"viewport": {"width": 1440, "height": 1100}}
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "is_mobile": True,
    "has_touch": True,
    "user_agent": "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36",
}
THEMES = pytest.mark.parametrize("theme", ["Light", "Dark"])


@pytest.fixture
def visit(browser: BrowserContext) -> Iterator[Callable[..., Page]]:
    """Opens a tab of another browser: in India, on a machine that prefers dark pages, with a screen of one's choice."""
    assert browser.browser is not None
    with ExitStack() as stack:

        def opened(screen: Mapping[str, Any]) -> Page:
            context = browser.browser.new_context(
                **screen, timezone_id=ZONE, color_scheme="dark", reduced_motion="reduce"
            )
            context.set_default_timeout(PATIENCE)
            return stack.enter_context(watched(stack.enter_context(context)))

        yield opened


def test_a_page_opens_and_is_orderly(page: Page, dashboard: Dashboard) -> None:
    """The start page, and the one that has no other browser test; `make verify` walks through all."""
    # A refresh in the middle would disturb what is measured.
    page.goto(f"{dashboard.url}/?refresh=off")
    assert len(titles(page)) >= 7
    wrong = {}
    for title in ("Overview", "Maintenance"):
        open_page(page, title)
        settled(page)
        no_traceback(page)
        expect(page).to_have_title(f"{title} · Clicks to Deliveries")
        wrong[title] = disorder(page) + barriers(page)
        # A long name wraps.
        expect(page.get_by_test_id("stMetricValue").locator("p").first).to_have_css("white-space", "normal")
    assert {title: found for title, found in wrong.items() if found} == {}


@pytest.mark.verify
def test_a_shared_address_opens_the_same_view(visit: Callable[..., Page], dashboard: Dashboard) -> None:
    page = visit(DESK)
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
@THEMES
def test_every_page_at_a_desk(visit: Callable[..., Page], dashboard: Dashboard, theme: str) -> None:
    page = visit(DESK)
    page.goto(f"{dashboard.url}/?refresh=off")
    choose_theme(page, theme)
    wrong = {}
    for title in titles(page):
        open_page(page, title)
        settled(page)
        picture(page, theme.lower())
        wrong[title, "to look at"] = disorder(page) + barriers(page)

        choose(page, "Times in", "yours")
        settled(page)
        # No instant is left in UTC itself.
        expect(page.get_by_test_id("stMain").get_by_text(re.compile(r"UTC(?![+-])"))).to_have_count(0)
        choose(page, "Times in", "UTC")
        choose(page, "Refresh every", "2 seconds")
        settled(page)
        wrong[title, "to keep open"] = flicker(page)
        choose(page, "Refresh every", "off")
        no_traceback(page)
    assert {place: found for place, found in wrong.items() if found} == {}


@pytest.mark.verify
@pytest.mark.timeout(900)
@THEMES
def test_every_page_on_a_phone(visit: Callable[..., Page], dashboard: Dashboard, theme: str) -> None:
    page = visit(PHONE)
    page.goto(f"{dashboard.url}/?refresh=off")
    choose_theme(page, theme)
    wrong = {}
    for title in titles(page):
        open_page(page, title)
        settled(page)
        # The sidebar is out of the way.
        expect(page.get_by_test_id("stSidebarNav")).not_to_be_visible()
        picture(page, f"{theme.lower()}_phone")
        no_traceback(page)
        wrong[title] = disorder(page) + barriers(page)
    assert {title: found for title, found in wrong.items() if found} == {}


def choose_theme(page: Page, theme: str) -> None:
    """Chooses light or dark in the menu."""
    settled(page)
    page.get_by_test_id("stMainMenuButton").click()
    page.get_by_role("menuitemradio", name=theme).click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("menuitemradio")).to_have_count(0)
