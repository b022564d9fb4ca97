"""Every chart and map has a text alternative, for people who can't see it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

DASHBOARD = Path(__file__).parents[3] / "dashboard"
DRAWN = {"altair_chart", "pydeck_chart", "vega_lite_chart", "graphviz_chart", "image", "draw"}


def drawn() -> dict[str, ast.Call]:
    return {
        f"{file.relative_to(DASHBOARD)}:{node.lineno}": node
        for file in DASHBOARD.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and (getattr(node.func, "attr", None) or getattr(node.func, "id", None)) in DRAWN
    }


def test_every_chart_has_a_text_alternative() -> None:
    calls = drawn()
    assert len(calls) >= 15
    without = [place for place, call in calls.items() if "alt" not in {keyword.arg for keyword in call.keywords}]
    assert without == []
