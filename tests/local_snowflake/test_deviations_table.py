"""Each row of DEVIATIONS.md names a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests" / "local_snowflake"
TABLE = (ROOT / "include" / "local" / "snowflake" / "DEVIATIONS.md").read_text()
ROWS = [[cell.strip() for cell in line.strip("| ").split("|")] for line in TABLE.splitlines() if line.startswith("| ")][
    1:
]
# Where what is deployed keeps its SQL.
DEPLOYED = ("sql", "dags", "plugins", "dashboard", "lambdas")


def names_of_tests(file: Path) -> set[str]:
    tree = ast.parse(file.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_each_row_names_a_test_that_exists(row):
    assert len(row) == 4
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", row[3])
    assert named
    for file, test in named:
        assert test in names_of_tests(TESTS / file)


def test_no_subject_has_two_rows():
    subjects = [row[0] for row in ROWS]
    assert len(subjects) > 30
    assert len(set(subjects)) == len(subjects)


def test_nothing_deployed_relies_on_what_snowflake_would_refuse():
    files = [
        file
        for top in DEPLOYED
        for file in (ROOT / top).rglob("*")
        if file.suffix in (".sql", ".py") and file.is_file()
    ]
    assert len(files) > 50
    used = re.compile(r"\bvalidate(_pipe_load)?\s*\(.{0,80}(job_id|pipe_name)\s*=>", re.IGNORECASE | re.DOTALL)
    assert used.search("select * from table(validate(T, job_id => _last))")
    assert [file for file in files if used.search(file.read_text())] == []
