"""Documentation that a machine can check: links, paths, tests, make targets, and the index of decisions."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import msgspec
import pytest

from include.settings import Settings

ROOT = Path(__file__).parents[2]
DECISIONS = ROOT / "docs/adr"

FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PATH = re.compile(r"`((?:dags|dashboard|docs|include|lambdas|plugins|sql|tests)/[\w./-]+)`")
# In quotes or as code, as far as it is the same for every record.
MESSAGE = re.compile(r"[`\"]([^`\"<]+?)[ :]*(?:<[^`\"]*)?[`\"]")
TEST = re.compile(r"`(test_\w+)(\*?)`")
MAKE_IN_PROSE = re.compile(r"`make ([a-z][a-z-]*)")
MAKE_IN_FENCE = re.compile(r"^make ([a-z][a-z-]*)", re.MULTILINE)
MAKE_TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)


def documents() -> list[str]:
    """Every Markdown file of the repository, as a path relative to its root."""
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, check=True, capture_output=True, text=True)
    return listed.stdout.splitlines()


def decisions() -> list[Path]:
    return sorted(DECISIONS.glob("[0-9]*.md"))


def slugs(document: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", document.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_there_are_documents_and_decisions() -> None:
    assert {"README.md", "docs/CONTRIBUTING.md", "docs/architecture.md"} <= set(documents())
    assert len(decisions()) > 30


@pytest.mark.parametrize("document", documents())
def test_relative_links_lead_to_a_file_and_a_heading(document: str) -> None:
    path = ROOT / document
    broken = []
    for link in LINK.findall(FENCE.sub("", path.read_text())):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in slugs(target)):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("document", documents())
def test_named_paths_exist(document: str) -> None:
    named = set(PATH.findall((ROOT / document).read_text()))
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_the_index_of_runbooks_has_every_page_and_alarm() -> None:
    index = (ROOT / "docs/runbooks/README.md").read_text()
    pages = {path.name for path in (ROOT / "docs/runbooks").glob("*.md")} - {"README.md"}
    alarms = re.findall(r"^  (\w+Alarm):$", (ROOT / "include/cloudformation/pipeline.yaml").read_text(), re.MULTILINE)
    assert pages <= set(LINK.findall(index))
    assert [alarm for alarm in alarms if alarm not in index] == []


@pytest.mark.parametrize("runbook", ["erase_truck", "replay"])
def test_messages_that_a_runbook_explains_are_in_the_code(runbook: str) -> None:
    sources = [path for folder in ("include", "lambdas", "plugins", "dags") for path in (ROOT / folder).rglob("*.py")]
    code = "\n".join(path.read_text() for path in sources)
    text = (ROOT / f"docs/runbooks/{runbook}.md").read_text()
    (table,) = re.findall(r"^\| message \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    messages = [message for row in table.splitlines() for message in MESSAGE.findall(row.split("|")[1])]
    assert messages
    assert [message for message in messages if message not in code] == []


def test_the_deployment_guide_has_every_setting_with_its_default() -> None:
    rows = [row for row in (ROOT / "docs/deploy.md").read_text().splitlines() if row.startswith("| `CTD_")]
    documented: dict[str, str] = {}
    for row in rows:
        names, defaults = (re.split(r", ", cell.strip()) for cell in row.split("|")[1:3])
        values = defaults if len(defaults) == len(names) else defaults * len(names)
        documented |= {name.strip("`"): value.strip("`") for name, value in zip(names, values, strict=True)}
    assert documented == {f"CTD_{field.name.upper()}": _shown(field) for field in msgspec.structs.fields(Settings)}


def _shown(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    if field.default in (None, ""):
        return "unset"
    return str(field.default).lower() if isinstance(field.default, bool) else str(field.default)


def test_tests_that_the_fault_suite_names_exist() -> None:
    suite = "\n".join(path.read_text() for path in (ROOT / "tests/chaos").rglob("*.py"))
    named = TEST.findall((ROOT / "docs/fault-suite.md").read_text())
    assert [name for name, prefix in named if f"def {name}{'' if prefix else '('}" not in suite] == []


@pytest.mark.parametrize("document", documents())
def test_named_make_targets_exist(document: str) -> None:
    text = (ROOT / document).read_text()
    named = set(MAKE_IN_PROSE.findall(text)).union(*map(MAKE_IN_FENCE.findall, FENCE.findall(text)))
    assert named <= set(MAKE_TARGET.findall((ROOT / "Makefile").read_text()))


def test_every_number_of_a_decision_is_a_record_or_leads_to_the_one_that_it_became_part_of() -> None:
    records = {path.name[:4]: path.name for path in decisions()}
    merged = re.findall(r"^\| (\d{4}) \| \[(\d{4})\]\((.+)\) \|$", (DECISIONS / "README.md").read_text(), re.MULTILINE)
    assert all(records[number] == name for _, number, name in merged)
    numbers = sorted([*records, *(number for number, _, _ in merged)])
    assert numbers == [f"{number:04d}" for number in range(1, len(numbers) + 1)]


@pytest.mark.parametrize("path", decisions(), ids=lambda path: path.name[:4])
def test_a_decision_has_its_sections_and_is_in_the_index(path: Path) -> None:
    text = path.read_text()
    title, status = re.search(r"\A# \d{4}: (.+)\n\nStatus: (.+)\n", text).groups()
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
    assert status == "accepted" or re.match(r"superseded by \[\d{4}\]\(", status)
    index = (DECISIONS / "README.md").read_text()
    assert f"| [{path.name[:4]}]({path.name}) | {title} | {status} |" in index
