"""The real dashboard in a real browser, over stores with known contents."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.browser.provisioning import Place, provisioned
from tests.browser.relay import Relay
from tests.browser.server import Dashboard, running
from tests.browser.stores import Stores

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# How long a page may take to show what a test expects, in milliseconds.
PATIENCE = 90_000


class Relays(NamedTuple):
    """The dashboard's only ways to its stores."""

    aws: Relay
    snowflake: Relay


@pytest.fixture(scope="session")
def place(ministack: Any, snowflake_server: Any) -> Place:
    """Where the stores with known contents are."""
    return Place(ministack, snowflake_server, account="100000000001", database="DASHBOARD")


@pytest.fixture(scope="session")
def stores(place: Place) -> Iterator[Stores]:
    """Stores with known contents; ``Stores.expected`` has the numbers."""
    with provisioned(place) as filled:
        filled.fill()
        yield filled


@pytest.fixture(scope="session")
def relays(place: Place) -> Iterator[Relays]:
    """Relays to the stores, up.  A test that takes one down brings it up again."""
    made = Relays(Relay(place.ministack.port), Relay(place.snowflake.port))
    yield made
    for relay in made:
        relay.close()


@pytest.fixture(scope="session")
def dashboard(
    place: Place, stores: Stores, relays: Relays, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Dashboard]:
    """The dashboard over the filled stores, which it reaches through the relays."""
    through_relays = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{relays.aws.port}",
        "SNOWFLAKE_PORT": str(relays.snowflake.port),
    }
    log = tmp_path_factory.mktemp("dashboard") / "log.txt"
    with running(place.environment | through_relays, log) as started:
        yield started


@pytest.fixture(scope="module")
def empty_dashboard(
    ministack: Any, snowflake_server: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Dashboard]:
    """The dashboard of a pipeline that is provisioned and has not seen a record."""
    place = Place(ministack, snowflake_server, account="100000000002", database="DASHBOARD_EMPTY")
    log = tmp_path_factory.mktemp("empty_dashboard") / "log.txt"
    with provisioned(place), running(place.environment, log) as started:
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[BrowserContext]:
    """Headless Chromium of the system, with a wide window and one cache for Streamlit's scripts.

    It is closed with its module, as no other test can run an event loop beside it.
    """
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: install the package chromium to run the browser tests")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=CHROMIUM_FLAGS)
        context = launched.new_context(viewport={"width": 1440, "height": 1100}, reduced_motion="reduce")
        context.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        yield context
        launched.close()


@pytest.fixture
def page(browser: BrowserContext) -> Iterator[Page]:
    """A fresh tab, which is a session of its own.  It asks this machine only, and its console shows no error."""
    with watched(browser) as opened:
        yield opened


@contextmanager
def watched(context: BrowserContext) -> Iterator[Page]:
    """A fresh tab; it fails the test if it asks another machine, or if its console shows an error."""
    opened, urls, errors = context.new_page(), set[str](), list[str]()
    opened.on("request", lambda request: urls.add(request.url))
    opened.on("websocket", lambda socket: urls.add(socket.url))
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda message: errors.append(message.text) if _is_error(message) else None)
    try:
        yield opened
    finally:
        opened.close()
    parts = [urlsplit(url) for url in urls]
    assert parts
    assert {url.netloc for url in parts if url.scheme not in {"data", "blob"} and url.hostname != "127.0.0.1"} == set()
    assert errors == []


def _is_error(message: ConsoleMessage) -> bool:
    # Of a page opened by its address, Streamlit first looks for its server below that address, and finds none there.
    is_search = "/_stcore/" in message.location["url"] and "404" in message.text
    return message.type == "error" and not is_search
