"""The calls of the stores that each page costs: no more than docs/dashboard.md says."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from dashboard import ui
from tests.browser.provisioning import Place, provisioned
from tests.browser.store_calls import Recorder

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "dashboard/app_pages"
REFRESH = ui.REFRESHES[ui.DEFAULT_REFRESH]
STORES = ("dynamodb", "s3", "snowflake", "other")


def documented() -> dict[str, tuple[list[int], list[int]]]:
    """By page, in the order of STORES: the calls when it opens, and per minute."""
    text = (ROOT / "docs/dashboard.md").read_text()
    rows = re.findall(r"^\| ([\w ]+) \| ((?:\d+ \| ){8})", text, re.MULTILINE)
    numbers = {title.lower().replace(" ", "_"): [int(each) for each in re.findall(r"\d+", row)] for title, row in rows}
    return {page: (each[:4], each[4:]) for page, each in numbers.items()}


def pages() -> dict[str, str]:
    """The script of each page."""
    files = {file.stem: file.name for file in PAGES.glob("*.py") if file.stem != "__init__"}
    return files | {file.parent.name: f"{file.parent.name}/page.py" for file in PAGES.glob("*/page.py")}


def by_store(calls: Counter[str]) -> list[int]:
    known = [calls[store] for store in STORES[:-1]]
    return [*known, calls.total() - sum(known)]


@pytest.fixture(scope="module")
def recorder(ministack: Any, snowflake_server: Any) -> Iterator[Recorder]:
    """Over filled stores, at half past: near a full hour, pages ask for the hours on both sides of it."""
    place = Place(ministack, snowflake_server, account="100000000003", database="DASHBOARD_CALLS")
    with mock.patch.dict(os.environ, place.environment), provisioned(place) as stores:
        stores.start = datetime.now(UTC).replace(minute=30, second=5) - timedelta(hours=1)
        stores.fill()
        with Recorder(stores.start).recording() as recording:
            yield recording


def test_every_page_is_documented() -> None:
    assert set(pages()) <= set(documented())


@pytest.mark.verify
@pytest.mark.parametrize("page", sorted(pages()))
def test_a_page_asks_no_more_than_documented(page: str, recorder: Recorder) -> None:
    first, minute = (by_store(calls) for calls in recorder.calls_of(pages()[page], REFRESH))
    print(f"{page}: {first} {minute}")
    most_first, most_minute = documented()[page]
    assert [*map(max, first, most_first)] == most_first
    assert [*map(max, minute, most_minute)] == most_minute
