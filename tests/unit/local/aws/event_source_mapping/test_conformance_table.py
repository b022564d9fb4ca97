"""docs/event-source-mapping.md names tests that exist."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[5]
ELSEWHERE = {
    "integration": ROOT / "tests" / "integration" / "test_event_source_mapping.py",
    "chaos": ROOT / "tests" / "chaos" / "test_situations.py",
}


def test_every_test_that_the_table_names_exists():
    names = re.findall(r"`(\w*)::(test_\w+)`", (ROOT / "docs" / "event-source-mapping.md").read_text())
    assert len(names) > 30
    file = ""
    for module, test in names:
        file = module or file  # "::test" is in the file named last.
        path = ELSEWHERE.get(file, Path(__file__).parent / f"{file}.py")
        assert f"def {test}(" in path.read_text(), f"{file}::{test}"
