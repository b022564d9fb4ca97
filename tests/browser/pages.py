"""Steps that browser tests of the dashboard share: pages are opened, settle and are judged."""

from __future__ import annotations

import os
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

# From there on, a person with a disability meets a barrier.
SEVERE = {"serious", "critical"}


def titles(page: Page) -> list[str]:
    """The titles of all pages, in the order of the navigation."""
    links = page.get_by_test_id("stSidebarNavLink")
    expect(links.first).to_be_attached()
    return [title.strip() for title in page.get_by_test_id("stSidebarNavLink").locator("[label]").all_text_contents()]


def open_page(page: Page, title: str) -> None:
    """Opens a page of the dashboard by its link, which is cheaper than by its address: the scripts stay loaded."""
    navigation, expand = page.get_by_test_id("stSidebarNav"), page.get_by_test_id("stExpandSidebarButton")
    # The sidebar of a phone covers the page, so it is closed until a person opens it.
    expect(navigation.or_(expand).filter(visible=True).first).to_be_visible()
    if expand.is_visible():
        expand.click()
    navigation.get_by_role("link", name=title, exact=True).click()
    expect(page.get_by_role("heading", name=title, exact=True, level=1)).to_be_visible()


def settled(page: Page) -> None:
    """Waits until the page has everything that it asked for, and draws it."""
    expect(page.locator("[data-test-script-state='notRunning']")).to_be_attached()
    for selector in ("[data-testid='stSkeleton']", "[data-stale='true']", "[data-testid='stStatusWidget']"):
        expect(page.locator(selector)).to_have_count(0)
    # What was stale gets its colour back within a second, and has too little contrast until then.
    page.wait_for_function("document.getAnimations().every(each => !(each instanceof CSSTransition))")


def no_traceback(page: Page) -> None:
    expect(page.get_by_test_id("stException")).to_have_count(0)
    expect(page.get_by_text("Traceback")).to_have_count(0)


def choose(page: Page, label: str, option: str) -> None:
    """Chooses an option of a select box in the sidebar."""
    page.get_by_test_id("stSidebar").get_by_test_id("stSelectbox").filter(has_text=label).get_by_role(
        "combobox"
    ).click()
    page.get_by_role("option", name=option).click()


def barriers(page: Page) -> list[str]:
    """What axe-core finds on the page that is serious or worse."""
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:300]} {node['failureSummary']}"
        for rule in found
        if rule["impact"] in SEVERE
        for node in rule["nodes"]
    ]


def disorder(page: Page) -> list[str]:
    """What is wrong with the layout: headings that skip a level, a page that scrolls sideways."""
    levels = [
        int(tag[1]) for tag in page.locator("h1, h2, h3, h4, h5, h6").evaluate_all("all => all.map(e => e.tagName)")
    ]
    wrong = [] if levels.count(1) == 1 else [f"{levels.count(1)} headings of level 1"]
    wrong += [f"h{lower} after h{upper}" for upper, lower in pairwise(levels) if lower > upper + 1]
    main = page.get_by_test_id("stMain")
    if excess := main.evaluate("e => e.scrollWidth - e.clientWidth"):
        wrong.append(f"scrolls sideways by {excess} pixels")
    return wrong


def flicker(page: Page) -> list[str]:
    """What a person notices of two refreshes of the open page, two seconds apart: paleness, jumps, a lost place."""
    main = page.get_by_test_id("stMain")
    place = main.evaluate("""e => {
        e.scrollTo(0, 150);
        window.seen = {opacity: 1, height: e.scrollHeight};
        const frame = () => {
            for (const element of e.querySelectorAll("[data-testid='stElementContainer']"))
                seen.opacity = Math.min(seen.opacity, Number(getComputedStyle(element).opacity));
            seen.height = Math.min(seen.height, e.scrollHeight);
            seen.frame = requestAnimationFrame(frame);
        };
        frame();
        return {top: e.scrollTop, height: e.scrollHeight};
    }""")
    page.wait_for_timeout(5000)
    seen = main.evaluate("e => { cancelAnimationFrame(seen.frame); return {...seen, top: e.scrollTop} }")
    noticed = []
    if seen["opacity"] < 1:
        noticed.append(f"an element turns pale, to an opacity of {seen['opacity']}")
    if seen["height"] < 0.9 * place["height"]:
        noticed.append(f"the page shrinks from {place['height']} to {seen['height']} pixels")
    if seen["top"] != place["top"]:
        noticed.append(f"the page scrolls from {place['top']} to {seen['top']}")
    return noticed


def picture(page: Page, kind: str) -> None:
    """Keeps what the page looks like in the folder PICTURES, if that is set."""
    if folder := os.environ.get("PICTURES"):
        name = re.sub(r"\W+", "_", page.get_by_role("heading", level=1).inner_text()).lower()
        page.mouse.move(0, 0)
        page.wait_for_timeout(1000)
        page.screenshot(path=Path(folder) / f"{name}_{kind}.png")
