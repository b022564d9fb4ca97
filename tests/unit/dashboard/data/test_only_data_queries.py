"""Rules of the dashboard's source: only dashboard/data connects to a store, and it only reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]

pytestmark = pytest.mark.unit


def test_every_statement_of_the_dashboard_is_read_only_and_used() -> None:
    source = "".join(path.read_text() for path in (ROOT / "dashboard/data").glob("*_queries.py"))
    statements = {path: re.sub(r"--.*", "", path.read_text()) for path in (ROOT / "sql/dashboard").glob("*.sql")}
    # What two statements share is a file that both include.
    included = "".join(statements.values())
    for path, text in sorted(statements.items()):
        assert not re.search(r"\b(insert|update|delete|merge|create|drop|alter)\b", text, re.IGNORECASE), path
        is_used = f'"{path.name}"' in source or f'include "dashboard/{path.name}"' in included
        assert is_used, f"{path.name} is used by nobody"


def test_no_other_module_of_the_dashboard_talks_to_a_store() -> None:
    for path in (ROOT / "dashboard").rglob("*.py"):
        if path.parent != ROOT / "dashboard/data":
            assert not re.search(r"^\s*(import|from) (boto3|botocore|snowflake)", path.read_text(), re.MULTILINE), path
