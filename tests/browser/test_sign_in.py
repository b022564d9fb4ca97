"""Sign-in with a real OpenID provider.  The stores are down, so that each page opens quickly and says so."""

from __future__ import annotations

import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.pages import barriers, disorder
from tests.browser.provider import Provider, provider
from tests.browser.server import Dashboard, running

pytestmark = pytest.mark.browser

HOURS = 12


class Place(NamedTuple):
    """A dashboard with sign-in, and its provider."""

    provider: Provider
    dashboard: Dashboard


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A dashboard to which people sign in."""
    folder = tmp_path_factory.mktemp("sign_in")
    secrets = folder / "secrets.toml"
    with provider() as opened:
        opened.give("rita", {"email": "rita@example.com", "groups": ["drivers", "readers"]})
        opened.give("olga", {"email": "olga@example.com", "groups": "operators"})
        opened.give("noel", {"email": "*noel*@example.com", "groups": []})
        secrets.write_text(
            "[auth]\n"
            'redirect_uri = "http://127.0.0.1:{port}/oauth2callback"\n'
            'cookie_secret = "a secret of this test, long enough to sign"\n'
            'client_id = "dashboard"\n'
            'client_secret = "not checked by this provider"\n'
            f'server_metadata_url = "{opened.metadata}"\n'
        )
        environment = {
            "STREAMLIT_SECRETS_FILES": str(secrets),
            "CTD_DEPLOYMENT_BUCKET": "deployment",
            "CTD_DASHBOARD_OPERATORS": "groups=operators",
            "CTD_DASHBOARD_READERS": "groups=readers",
            "CTD_DASHBOARD_SESSION_HOURS": str(HOURS),
            # Nothing listens on this port.
            "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
            "CTD_DASHBOARD_TIMEOUT_SECONDS": "1",
        }
        with running(environment, folder / "log.txt") as started:
            yield Place(opened, started)


@pytest.fixture
def visitor(page: Page) -> Page:
    """A page before which nobody is signed in: tests share the browser and its cookies."""
    page.context.clear_cookies()
    return page


def heading(page: Page, name: str) -> Locator:
    return page.get_by_role("heading", name=name, exact=True)


def sign_in(page: Page, account: str, button: str = "Sign in") -> None:
    page.get_by_role("button", name=button, exact=True).click()
    page.get_by_role("textbox").fill(account)
    page.get_by_role("button", name="Authorize").click()


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="End session").click()
    expect(heading(page, "Clicks to Deliveries")).to_be_visible()


def shows_nothing(page: Page) -> None:
    expect(page.get_by_test_id("stSidebarNav")).to_have_count(0)
    expect(page.get_by_test_id("stAlert")).to_have_count(0)


@pytest.mark.verify
def test_each_person_sees_what_their_role_allows(visitor: Page, place: Place) -> None:
    page = visitor
    address = f"{place.dashboard.url}/fleet?truck=TRK002"
    page.goto(address)
    expect(page.get_by_text("Sign in to see clicks")).to_be_visible()
    shows_nothing(page)

    sign_in(page, "rita")
    expect(heading(page, "Fleet")).to_be_visible()
    expect(page.get_by_text("Signed in as rita@example.com, reader.")).to_be_visible()
    # Sign-in leads back to the page that was opened, and its choices.
    assert page.url.split("?")[0] == address.split("?")[0]
    assert "truck=TRK002" in page.url
    sign_out(page)
    shows_nothing(page)

    sign_in(page, "noel")
    expect(heading(page, "You don’t have access yet")).to_be_visible()
    expect(page.locator("code", has_text="*noel*@example.com")).to_be_visible()
    shows_nothing(page)
    assert disorder(page) + barriers(page) == []
    sign_out(page)

    sign_in(page, "olga")
    expect(page.get_by_text("Signed in as olga@example.com, operator.")).to_be_visible()


@pytest.mark.verify
def test_a_session_ends_with_its_token_while_a_page_is_open(visitor: Page, place: Place) -> None:
    page = visitor
    now = int(time.time())
    place.provider.give("evan", {"email": "evan@example.com", "groups": "readers", "exp": now + 12})
    page.goto(f"{place.dashboard.url}/fleet")
    sign_in(page, "evan")
    expect(heading(page, "Fleet")).to_be_visible()
    # Nobody touches the page.
    expect(heading(page, "Your session has ended")).to_be_visible()
    shows_nothing(page)
    # Its cookie opens nothing either.
    page.reload()
    expect(heading(page, "Your session has ended")).to_be_visible()
    place.provider.give("evan", {"email": "evan@example.com", "groups": "readers"})
    sign_in(page, "evan", "Sign in again")
    expect(heading(page, "Fleet")).to_be_visible()


@pytest.mark.verify
def test_signing_out_ends_the_session_in_every_tab(visitor: Page, place: Place) -> None:
    page = visitor
    page.goto(f"{place.dashboard.url}/fleet")
    sign_in(page, "rita")
    expect(heading(page, "Fleet")).to_be_visible()
    assert barriers(page) == []
    cookies = {cookie["name"]: cookie for cookie in page.context.cookies()}
    assert cookies["_streamlit_user"]["httpOnly"]
    assert cookies["_streamlit_user"]["expires"] <= time.time() + HOURS * 3600
    other = page.context.new_page()
    other.goto(f"{place.dashboard.url}/fleet")
    expect(heading(other, "Fleet")).to_be_visible()
    sign_out(page)
    expect(other.get_by_text("Sign in to see clicks")).to_be_visible()
    # A copy of the cookie, which a browser would have deleted, opens nothing.
    page.context.add_cookies([cookies["_streamlit_user"]])
    page.goto(f"{place.dashboard.url}/fleet")
    expect(page.get_by_text("Sign in to see clicks")).to_be_visible()
    other.close()


def test_nobody_learns_anything_before_sign_in(place: Place) -> None:
    def answer(path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"{place.dashboard.url}{path}", timeout=10) as got:  # noqa: S310  Our own http URL.
                return got.status, got.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, ""

    assert answer("/_stcore/health") == (200, "ok")
    assert answer("/_stcore/metrics") == (404, "")
    assert not re.search("CTD_|groups|operators|TRK", answer("/_stcore/host-config")[1])
