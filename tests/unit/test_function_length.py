"""A function fits on a screen.  ruff counts statements, not lines."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
PRODUCTION = ("dags", "dashboard", "include", "lambdas", "plugins", "sql")
MOST_LINES = 60


def test_no_function_outside_the_tests_is_longer_than_sixty_lines() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--", *(f"{folder}/*.py" for folder in PRODUCTION)],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    lengths = {
        f"{name}:{node.lineno} {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for name in listed.stdout.splitlines()
        for node in ast.walk(ast.parse((ROOT / name).read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert len(lengths) > 1_000
    assert {function: lines for function, lines in lengths.items() if lines > MOST_LINES} == {}
