"""Every alert and alarm has a page, every page has the same sections, and every block of a page is walked."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from include.alerts.impact import IMPACTS, runbook_of
from tests.runbooks import pages

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
WALKS = sorted((ROOT / "tests/runbooks").glob("test_*.py"))


def walked() -> set[tuple[str, str]]:
    """Page and heading of each ``follow("page", "heading")`` in the walks."""
    found = set()
    for path in WALKS:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "follow":
                page, heading = (ast.literal_eval(argument) for argument in node.args[:2])
                found.add((page, heading))
    return found


def test_every_alert_and_alarm_has_a_page() -> None:
    template = (ROOT / "include/cloudformation/pipeline.yaml").read_text()
    of_alarms = re.findall(r"docs/runbooks/(\w+)\.md", template)
    assert len(of_alarms) >= len(re.findall(r"^  \w+Alarm:$", template, re.MULTILINE))
    named = {*of_alarms, *(Path(runbook_of(dag_id)).stem for dag_id in IMPACTS)}
    assert sorted(named - set(pages.names())) == []


@pytest.mark.parametrize("page", pages.names())
def test_every_page_has_the_sections_in_their_order(page: str) -> None:
    headings = [each.heading for each in pages.sections(page) if each.level == 2]
    assert tuple(headings[: len(pages.SECTIONS)]) == pages.SECTIONS


@pytest.mark.parametrize("page", pages.names())
def test_every_page_is_walked(page: str) -> None:
    assert page in {name for name, _ in walked()}


@pytest.mark.parametrize("page", ["README", *pages.names()])
def test_every_block_is_run_by_a_walk(page: str) -> None:
    with_blocks = {(page, each.heading) for each in pages.sections(page) if each.blocks}
    assert sorted(with_blocks - walked()) == []


def test_every_page_is_among_those_that_were_tried() -> None:
    tables = (pages.FOLDER / "README.md").read_text().partition("## Tried")[2]
    listed = re.findall(r"^\| \[(\w+)\]", tables, re.MULTILINE)
    assert sorted(listed) == pages.names()
