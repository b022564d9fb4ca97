"""The dashboard as a person sees it: the stores' numbers, fresh without a reload, calm when a store is down."""

from __future__ import annotations

import csv
import os
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Relays
from tests.browser.pages import no_traceback, open_page, settled
from tests.browser.server import Dashboard
from tests.browser.stores import SENT, Stores

pytestmark = pytest.mark.browser

HOSTILE = "![x](https://host.example/p.png) :red[ok] [a](https://host.example) $x$ <b>b</b> :material/home: `c`"

PAGES = ("Live clicks", "Fleet", "Truck history", "Pipeline health")


def metric(page: Page, label: str) -> Locator:
    """The value of the card with this label."""
    cards = page.get_by_test_id("stMetric").filter(
        has=page.get_by_test_id("stMetricLabel").get_by_text(label, exact=True)
    )
    return cards.get_by_test_id("stMetricValue").first


def refresh_every(page: Page, interval: str) -> None:
    page.get_by_test_id("stSidebar").get_by_role("combobox").nth(1).click()
    page.get_by_role("option", name=interval, exact=True).click()


def keep_picture(page: Page, name: str) -> None:
    """Keeps what the page looks like in the folder PICTURES, for the README, if that is set."""
    if folder := os.environ.get("PICTURES"):
        refresh_every(page, "1 minute")
        page.mouse.move(0, 0)
        # What is being refreshed is pale.
        expect(page.locator("[data-stale='true']")).to_have_count(0)
        page.wait_for_timeout(2000)
        page.screenshot(path=f"{folder}/{name}.png")


def test_clicks_equal_what_dynamodb_holds(page: Page, dashboard: Dashboard, stores: Stores) -> None:
    answer = page.goto(f"{dashboard.url}/live_clicks")
    assert answer is not None
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    expect(metric(page, "Click events")).to_have_text(str(stores.expected["events"]))
    expect(metric(page, "Clicks")).to_have_text(str(stores.expected["clicks"]))
    expect(metric(page, "Delay, median")).to_have_text("0.9 s")
    expect(page.get_by_text(re.compile("Newest click .* ago"))).to_be_visible()
    expect(page.locator("canvas, svg.marks").first).to_be_visible()
    no_traceback(page)
    keep_picture(page, "live_clicks")


def test_a_new_click_appears_without_a_reload(page: Page, dashboard: Dashboard, stores: Stores) -> None:
    page.goto(f"{dashboard.url}/live_clicks")
    expect(metric(page, "Click events")).to_have_text(str(stores.expected["events"]))
    page.evaluate("window.notReloaded = true")
    refresh_every(page, "2 seconds")
    stores.click("MOB001", datetime.now(UTC), 100)
    stores.expected["events"] += 1
    stores.expected["clicks"] += 100
    expect(metric(page, "Click events")).to_have_text(str(stores.expected["events"]))
    expect(metric(page, "Clicks")).to_have_text(str(stores.expected["clicks"]))
    assert page.evaluate("window.notReloaded")


@pytest.mark.verify
def test_the_ranking_is_saved_and_leads_to_an_items_hours(page: Page, dashboard: Dashboard) -> None:
    page.goto(f"{dashboard.url}/live_clicks?view=ranking&window=1+hour&find=lap")
    table = page.get_by_test_id("stDataFrame")
    expect(table).to_be_visible()
    expect(metric(page, "Items clicked")).to_have_text("1 of 1")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as CSV").click()
    (row,) = csv.DictReader(saved.value.path().open(encoding="utf-8-sig"))
    assert (row["rank"], row["item_id"], row["item_name"], row["trend"]) == ("1", "LAP002", "Laptop", "new")
    expect(metric(page, "Clicks")).to_have_text(row["clicks"])
    # Streamlit's own file would not be safe for a spreadsheet.
    table.hover()
    expect(page.get_by_role("button", name="Download as CSV")).not_to_be_visible()
    table.click(position={"x": 20, "y": 54})
    expect(page.get_by_text("Clicks per hour", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile("view=hours.*item=LAP002"))
    no_traceback(page)


@pytest.mark.verify
def test_a_shorter_window_counts_fewer_clicks(page: Page, dashboard: Dashboard, stores: Stores) -> None:
    page.goto(f"{dashboard.url}/live_clicks")
    expect(metric(page, "Click events")).to_have_text(str(stores.expected["events"]))
    page.get_by_test_id("stSidebar").get_by_role("combobox").first.click()
    page.get_by_role("option", name="5 minutes", exact=True).click()
    expect(metric(page, "Click events")).not_to_have_text(str(stores.expected["events"]))
    assert 0 < int(metric(page, "Click events").inner_text()) < stores.expected["events"]


@pytest.mark.verify
def test_the_fleet_equals_truck_state_and_history(page: Page, dashboard: Dashboard, stores: Stores) -> None:
    page.goto(f"{dashboard.url}/fleet")
    trucks = stores.expected["trucks"]
    expect(metric(page, "Moving")).to_have_text(str(trucks))
    expect(metric(page, "Silent")).to_have_text("0")
    expect(metric(page, "Lowest fuel")).to_have_text(f"{stores.expected['lowest fuel']:.0f} %")
    expect(metric(page, "Need attention")).to_have_text("1")
    expect(page.get_by_text("TRK003: brakes: Needs Inspection")).to_be_visible()
    # The ground and the signs come from this server; the fixture checks that nothing comes from another.
    expect(page.get_by_test_id("stDeckGlJsonChart").locator("canvas").first).to_be_visible()
    keep_picture(page, "fleet")
    # The four charts over time, and each truck's route.
    for part, charts in (("Speed and fuel", 4), ("Routes", trucks)):
        page.get_by_role("radio", name=part, exact=True).click()
        expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(charts)
    no_traceback(page)


@pytest.mark.verify
def test_a_click_on_a_truck_opens_its_card_and_one_beside_it_closes_it(page: Page, dashboard: Dashboard) -> None:
    # A map of one truck has it in its middle.
    page.goto(f"{dashboard.url}/fleet?trucks=TRK001&refresh=off")
    canvas = page.get_by_test_id("stDeckGlJsonChart").locator("canvas").first
    expect(canvas).to_be_visible()
    page.wait_for_load_state("networkidle")
    box = canvas.bounding_box()
    assert box is not None
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*middle)
    expect(page.locator(".deck-tooltip")).to_contain_text("TRK001")
    page.mouse.click(*middle, delay=50)
    expect(page).to_have_url(re.compile("truck=TRK001"))
    expect(page.get_by_text(re.compile("Last heard .* ago"))).to_be_visible()
    expect(page.get_by_test_id("stMain").get_by_role("link", name="Trips")).to_be_visible()
    page.mouse.click(middle[0] + 150, middle[1] + 150, delay=50)
    expect(page).not_to_have_url(re.compile("truck=TRK001"))
    no_traceback(page)


@pytest.mark.verify
def test_a_trucks_history_and_its_state_at_an_instant(page: Page, dashboard: Dashboard, stores: Stores) -> None:
    page.goto(f"{dashboard.url}/truck_history")
    expect(metric(page, "Versions")).to_have_text(str(stores.expected["versions of TRK001"]))
    versions = stores.expected["versions of TRK001"]
    expect(page.get_by_text(f"{versions} versions start")).to_be_visible()
    # The time line and two metrics.
    expect(page.get_by_test_id("stVegaLiteChart").locator("canvas, svg")).to_have_count(3)
    page.get_by_role("button", name="Zoom in", exact=True).click()
    expect(page.get_by_role("textbox", name="From, UTC")).to_be_visible()
    expect(page).to_have_url(re.compile("span=own"))
    part(page, "State and changes")
    expect(page.get_by_text("of 21 fields differ")).to_be_visible()
    instant = page.get_by_role("textbox", name="As of, UTC")
    instant.fill("2020-01-01 00:00:00")
    instant.press("Enter")
    expect(page.get_by_text("no version at that instant")).to_be_visible()
    instant.fill("yesterday")
    instant.press("Enter")
    expect(page.get_by_text("is not a date and time")).to_be_visible()
    instant.fill(f"{stores.start + timedelta(days=1):%Y-%m-%d %H:%M:%S}")
    instant.press("Enter")
    expect(page.get_by_text("until now (current)")).to_be_visible()
    no_traceback(page)


def part(page: Page, name: str) -> None:
    page.get_by_role("radio", name=name).click()


@pytest.mark.verify
def test_pipeline_health_equals_runs_results_and_quarantine(page: Page, dashboard: Dashboard, stores: Stores) -> None:
    page.goto(f"{dashboard.url}/pipeline_health")
    expect(page.get_by_text(re.compile("Newest record in any store .* ago"))).to_be_visible()
    expect(metric(page, "Behind")).to_have_text("90 s")
    expect(page.get_by_text("No measurement in this window")).to_be_visible()
    expect(metric(page, "Files pending")).to_have_text("0")
    settled(page)
    part(page, "Merge runs")
    expect(metric(page, "Versions opened in them")).to_have_text("2,003")
    expect(metric(page, "Last duration")).to_have_text("2.0 s")
    part(page, "Ledger")
    expect(metric(page, "Balanced hours")).to_have_text("3 of 4")
    expect(metric(page, "Differences")).to_have_text("7")
    expect(metric(page, "Records archived")).to_have_text("3,000")
    part(page, "Quality")
    expect(metric(page, "Rules passed")).to_have_text("1 of 3")
    expect(metric(page, "Failures")).to_have_text("1")
    expect(metric(page, "Warnings")).to_have_text("1")
    expect(page.get_by_text(re.compile(r"failing for \d+ min, since"))).to_have_count(2)
    expect(page.get_by_text("TRK001 state is behind")).to_be_visible()
    expect(page.get_by_text("Register it, or assign its readings")).to_be_visible()
    part(page, "Loads")
    expect(page.get_by_text("No file was loaded in the last 1 h")).to_be_visible()
    part(page, "Quarantine")
    expect(metric(page, "Quarantined")).to_have_text("5")
    expect(metric(page, "ClickDataStream")).to_have_text("3")
    expect(metric(page, "TruckTelemetry")).to_have_text("2")
    expect(page).to_have_url(re.compile("part=Quarantine"))
    # As somebody shares it.
    record = f"quarantine/TruckTelemetry/{stores.start:%Y/%m/%d/%H}/shardId-000000000000-4.json"
    page.goto(f"{page.url}&record={record}")
    expect(page.get_by_text("--reason=out_of_range")).to_be_visible()
    expect(page.get_by_test_id("stCode").get_by_text(SENT)).to_be_visible()
    no_traceback(page)


@pytest.mark.verify
def test_no_page_asks_anything_of_the_internet(page: Page, dashboard: Dashboard, stores: Stores) -> None:
    # A truck, an item and their statuses: what a device sends is shown as sent, and no browser fetches it.
    stores.hostile(HOSTILE)
    page.goto(dashboard.url)
    for title in PAGES:
        if title == "Truck history":
            # By its address: a list of trucks that is drawn again closes while one chooses.
            page.goto(f"{dashboard.url}/truck_history?{urlencode({'truck': HOSTILE})}")
        else:
            open_page(page, title)
        expect(page.get_by_text(re.compile(r"Newest .* ago"))).to_be_visible()
        if title == "Fleet":
            expect(page.get_by_test_id("stText").get_by_text(f"▲ {HOSTILE}: brakes: {HOSTILE}")).to_be_visible()
        if title == "Truck history":
            expect(page.get_by_role("combobox", name="Truck", exact=True)).to_have_value(HOSTILE)
            instant = page.get_by_role("textbox", name="As of, UTC")
            instant.fill(HOSTILE)
            instant.press("Enter")
            said = page.get_by_test_id("stMain").locator("code")
            expect(said).to_have_count(1)
            assert {text.replace("\u2060", "") for text in said.all_text_contents()} == {HOSTILE}
        main = page.get_by_test_id("stMain")
        expect(main.locator("img, a, b, .katex")).to_have_count(0)
        expect(main.locator(".stMarkdownColoredText").get_by_text("ok", exact=True)).to_have_count(0)
    # The fixture checks the requests of this test, as of every other.


@pytest.mark.verify
def test_before_the_first_record_every_page_says_what_to_do_next(page: Page, empty_dashboard: Dashboard) -> None:
    page.goto(empty_dashboard.url)
    for title, message in zip(
        PAGES,
        ("No clicks in the last 15 minutes", "No truck has reported yet", "No history yet", "Every store is empty"),
        strict=True,
    ):
        open_page(page, title)
        expect(page.get_by_text(message)).to_be_visible()
        expect(page.get_by_text(re.compile("generate_traffic|scd2_merge")).first).to_be_visible()
        no_traceback(page)


@pytest.mark.verify
@pytest.mark.timeout(600)  # The stores' clients retry for a while before they give up.
def test_a_store_that_goes_down_is_named_and_the_rest_keeps_working(
    page: Page, dashboard: Dashboard, relays: Relays, stores: Stores
) -> None:
    page.goto(f"{dashboard.url}/fleet")
    moving = str(stores.expected["trucks"])
    expect(metric(page, "Moving")).to_have_text(moving)
    refresh_every(page, "2 seconds")

    relays.snowflake.down()
    message = page.get_by_test_id("stAlert").filter(has_text="Snowflake")
    expect(message).to_contain_text("is unreachable", timeout=120_000)
    expect(message).to_contain_text("SNOWFLAKE_HOST")
    expect(metric(page, "Moving")).to_have_text(moving)
    open_page(page, "Live clicks")
    expect(metric(page, "Click events")).to_have_text(str(stores.expected["events"]))

    relays.aws.down()
    message = page.get_by_test_id("stAlert").filter(has_text="ClickStreamData")
    expect(message).to_contain_text("is unreachable", timeout=120_000)
    expect(message).to_contain_text("AWS_ENDPOINT_URL")
    no_traceback(page)

    relays.snowflake.up()
    open_page(page, "Truck history")
    expect(metric(page, "Versions")).to_be_visible(timeout=120_000)
    relays.aws.up()
    open_page(page, "Live clicks")
    expect(metric(page, "Click events")).to_have_text(str(stores.expected["events"]))
    no_traceback(page)


@pytest.mark.verify
@pytest.mark.timeout(600)
def test_nobody_asks_for_a_page_that_nobody_sees(page: Page, dashboard: Dashboard, relays: Relays) -> None:
    def forwarded() -> int:
        return relays.aws.forwarded + relays.snowflake.forwarded

    def asks() -> bool:
        before = forwarded()
        for _ in range(60):
            page.wait_for_timeout(1000)
            if forwarded() > before:
                return True
        return False

    def falls_silent(seconds: int) -> bool:
        """Whether so long nobody asks.  First, what is on its way arrives, which takes long on a busy machine."""
        for _ in range(6):
            before = forwarded()
            page.wait_for_timeout(1000 * seconds)
            if forwarded() == before:
                return True
        return False

    page.goto(f"{dashboard.url}/?refresh=2+seconds")
    expect(metric(page, "Moving")).to_be_visible()
    assert asks()
    frame = next(frame for frame in page.frames if "/component/dashboard.presence" in frame.url)
    for hidden in ("true", "false"):
        # No tab of a headless browser is ever hidden.
        frame.evaluate(f"Object.defineProperty(document, 'hidden', {{configurable: true, value: {hidden}}})")
        frame.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        assert falls_silent(10) if hidden == "true" else asks()
    page.goto("about:blank")
    assert falls_silent(20)


def test_the_links_of_a_trucks_card_open_the_pages_of_that_truck(page: Page, dashboard: Dashboard) -> None:
    page.goto(f"{dashboard.url}/fleet?truck=TRK002&refresh=off")
    page.get_by_test_id("stMainBlockContainer").get_by_role("link", name=re.compile("Trips")).click()
    expect(page).to_have_title(re.compile("^Trips"))
    expect(page.get_by_role("combobox", name="Truck")).to_have_value("TRK002")
    no_traceback(page)
