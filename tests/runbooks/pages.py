"""The pages of docs/runbooks, cut into sections, and the blocks that somebody on call runs.

``sh`` is for a shell, ``sql`` for a worksheet in Snowsight, and ``airflow`` for Airflow's pages: one step per line.
``<words in brackets>`` are replaced with what the alert says.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parents[2] / "docs/runbooks"
RUNNABLE = ("sh", "sql", "airflow")
# In the order in which every page has them.
SECTIONS = ("What fired", "What it means", "Check", "Fix", "How you know it is over")

_HEADING_OR_BLOCK = re.compile(
    r"^(?P<level>##+) (?P<heading>[^\n]+)$|^```(?P<language>\w*)\n(?P<text>.*?)^```", re.M | re.S
)
_INDENTED = re.compile(r"^ +```\w+$", re.M)
PLACEHOLDER = re.compile(r"<([a-z][a-z ]*)>")


class Block(NamedTuple):
    """Commands, statements or steps."""

    language: str
    text: str


class Section(NamedTuple):
    """A heading, and the runnable blocks between it and the next one."""

    heading: str
    level: int
    blocks: list[Block]


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.md") if path.stem != "README")


def sections(name: str) -> list[Section]:
    text = (FOLDER / f"{name}.md").read_text()
    assert not _INDENTED.search(text), f"{name}: a block in a list would not be found"
    found: list[Section] = []
    for match in _HEADING_OR_BLOCK.finditer(text):
        if match["heading"]:
            found.append(Section(match["heading"], len(match["level"]), []))
        elif match["language"] in RUNNABLE:
            found[-1].blocks.append(Block(match["language"], match["text"]))
    return found


def section(name: str, heading: str) -> Section:
    (found,) = [each for each in sections(name) if each.heading == heading]
    return found


def filled_in(text: str, words: dict[str, str]) -> str:
    """The text with what stands in brackets replaced."""
    return PLACEHOLDER.sub(lambda match: words[match[1]], text)
