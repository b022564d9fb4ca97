"""Where the rows of all benchmarks come together."""

from __future__ import annotations

import pytest
from rich.console import Console

from tests.fixtures.benchmarks import Benchmarks

_BENCHMARKS = pytest.StashKey[Benchmarks]()


@pytest.fixture(scope="session")
def benchmarks(pytestconfig: pytest.Config) -> Benchmarks:
    """Takes the rows; the table is shown, and benchmarks.json written, when all is measured."""
    return pytestconfig.stash.setdefault(_BENCHMARKS, Benchmarks())


def pytest_terminal_summary(config: pytest.Config) -> None:
    measured = config.stash.get(_BENCHMARKS, None)
    if measured and measured.rows:
        measured.show(Console(width=160, highlight=False))
        measured.write(config.rootpath / "benchmarks.json")
