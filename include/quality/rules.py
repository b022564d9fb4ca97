"""The data quality rules of ``sql/quality``: one file a rule, which says what it means and what to do about it.

A file begins with a comment of ``key: value`` lines, continued by indented ones, and holds one query::

    -- name: trucks_are_known
    -- severity: warn
    -- owner: data-platform
    -- meaning: A truck reports that the register of the fleet does not have.
    -- action: Register it in KNOWN_TRUCKS, or find out who sends in its name.
    -- runbook: a-device-is-odd
    select TRUCK_ID as SAMPLE_KEY
    from ...;

The query returns a row for each offending key, in the column SAMPLE_KEY; no row means that the rule holds.  ``runbook``
is a section of :data:`RUNBOOK`.  A rule that reads DynamoDB says ``reads: truck_states`` (or several, by commas): what
is named there is a table ``STAGED_TRUCK_STATES`` (include/quality/stores.py).  A rule over a table that only grows has
``{{ bind("since") }}`` in its query: it looks at what is newer, and once a day at all (:data:`WHOLE`).
"""

from __future__ import annotations

import re
from typing import Literal, get_args

import jinja2
import msgspec

from include import sql
from include.quality.stores import SOURCES

Severity = Literal["fail", "warn"]
FOLDER = "quality"
#: Path in the repository of what to do about a rule that fails.
RUNBOOK = "docs/runbooks/data_quality.md"
#: What ``since`` is for all there is; no event is older.
WHOLE = "0001-01-01T00:00:00"

_SINCE = sql.bind("since")


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule; ``statement`` is its query, ready to run or to be wrapped: no semicolon at its end."""

    name: str
    severity: Severity
    owner: str
    meaning: str
    action: str
    runbook: str
    statement: str
    reads: tuple[str, ...] = ()

    @property
    def link(self) -> str:
        """Where it is written what to do: file and section."""
        return f"{RUNBOOK}#{self.runbook}"

    @property
    def is_bounded(self) -> bool:
        """Whether the statement has the bind ``since``."""
        return _SINCE in self.statement


class RuleError(ValueError):
    """A rule file is unusable; the message names the file and what is wrong with it."""

    def __init__(self, rule: str, problem: str) -> None:
        super().__init__(f"{rule}.sql: {problem}")
        self.rule = rule


_OPTIONAL_KEYS = ("reads",)
_KEYS = tuple(field for field in Rule.__struct_fields__ if field not in {"statement", *_OPTIONAL_KEYS})
_KEY_LINE = re.compile(r"-- (\w+): *(.*)")
_CONTINUATION = re.compile(r"--  +(.*)")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_STAGED = re.compile(r"\bSTAGED_(\w+)", re.IGNORECASE)


def rules() -> tuple[Rule, ...]:
    """Every rule, by name.

    Raises:
        RuleError: a file is not a rule, or there is none.
    """
    usable, unusable = read()
    if unusable:
        raise unusable[0]
    return usable


def read() -> tuple[tuple[Rule, ...], tuple[RuleError, ...]]:
    """The rules, by name, and what is wrong with the files that are none: one bad file must not keep the others.

    Raises:
        RuleError: there is no file: then nothing would be checked, and nobody would know.
    """
    files = sorted((sql.SQL_DIRECTORY / FOLDER).glob("*.sql"))
    if not files:
        raise RuleError("*", f"no rule in {sql.SQL_DIRECTORY / FOLDER}")
    usable, unusable = [], []
    for file in files:
        try:
            usable.append(parse(file.stem, sql.render(f"{FOLDER}/{file.name}")))
        except RuleError as error:
            unusable.append(error)
        except jinja2.TemplateError as error:
            unusable.append(RuleError(file.stem, f"can't be rendered: {error}"))
    return tuple(usable), tuple(unusable)


def parse(stem: str, text: str) -> Rule:
    """The rule of the file ``<stem>.sql`` with the rendered ``text``.

    Raises:
        RuleError: as :func:`rules`.
    """
    values, query = _front_matter(stem, text)
    if not _NAME.fullmatch(stem):
        raise RuleError(stem, "a name is of small letters, digits and underscores")
    if missing := [name for name in _KEYS if not values.get(name)]:
        raise RuleError(stem, f"{', '.join(missing)} missing from the comment that opens the file")
    if unknown := sorted(values.keys() - {*_KEYS, *_OPTIONAL_KEYS}):
        raise RuleError(stem, f"unknown {', '.join(unknown)}; known are {', '.join([*_KEYS, *_OPTIONAL_KEYS])}")
    if values["severity"] not in get_args(Severity):
        raise RuleError(stem, f"severity is {values['severity']!r}, not one of {', '.join(get_args(Severity))}")
    if values["name"] != stem:
        raise RuleError(stem, f"its name is {values['name']!r}, not that of the file")
    if not re.search(r"\bSAMPLE_KEY\b", query, re.IGNORECASE):
        raise RuleError(stem, "its query has no column SAMPLE_KEY")
    if ";" in query:
        raise RuleError(stem, "more than one statement")
    if _SINCE in query and "%" in query.replace(_SINCE, "").replace("%%", ""):
        raise RuleError(stem, "a % in a query with the bind since is written %%")
    reads = tuple(source.strip() for source in values.pop("reads", "").split(",") if source.strip())
    if strangers := sorted(set(reads) - SOURCES.keys()):
        raise RuleError(stem, f"reads {', '.join(strangers)}; there are {', '.join(SOURCES)}")
    if (staged := {name.lower() for name in _STAGED.findall(query)}) != set(reads):
        raise RuleError(stem, f"says that it reads {sorted(reads)}, its query reads {sorted(staged)}")
    return Rule(statement=query, reads=reads, **values)


def _front_matter(stem: str, text: str) -> tuple[dict[str, str], str]:
    """The values of the comment that opens the file, and the query after it."""
    values: dict[str, str] = {}
    key = None
    lines = text.splitlines()
    while lines and lines[0].startswith("--"):
        line = lines.pop(0)
        if found := _KEY_LINE.fullmatch(line):
            key, value = found.groups()
            if key in values:
                raise RuleError(stem, f"{key} is given twice")
            values[key] = value.strip()
        elif (found := _CONTINUATION.fullmatch(line)) and key:
            values[key] = f"{values[key]} {found[1].strip()}".strip()
        else:
            raise RuleError(stem, f"not a 'key: value' line, nor an indented one after it: {line!r}")
    return values, "\n".join(lines).strip().removesuffix(";").strip()
