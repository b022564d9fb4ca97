"""The data quality rules of ``sql/quality``: one file per rule, which says what it means and what to do about it.

A file begins with a comment of ``key: value`` lines, continued by indented ones, and holds one query::

    -- name: trucks_are_known
    -- severity: warn
    -- owner: data-platform
    -- meaning: A truck that is not in the register of the fleet sends readings.
    -- action: Register it in KNOWN_TRUCKS, or find out who sends in its name.
    -- runbook: a-truck-is-odd
    select TRUCK_ID as SAMPLE_KEY
    from ...;

The query returns a row for each offending key, in the column SAMPLE_KEY; no row means that the rule holds.  ``runbook``
is a section of :data:`RUNBOOK`.  A rule that reads DynamoDB says ``reads: truck_states`` (or several, separated by
commas) and queries a table ``STAGED_TRUCK_STATES`` (include/quality/staged_items.py).  A rule over a table that only
grows has ``{{ bind("since") }}`` in its query: it checks what is newer, and once a day everything (:data:`WHOLE`).
A rule over consecutive readings says ``reads: new_readings`` or ``reads: last_hour``
(include/quality/findings.py).  A warning that says ``notify: once`` sends a message when it starts and one when it is
over; without it, it shows only on the dashboard.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Literal, get_args

import jinja2
import msgspec

from include import sql
from include.quality.staged_items import SOURCES

Severity = Literal["fail", "warn"]
#: What a rule over consecutive readings ``reads`` (include/quality/findings.py): STAGED_NEW_READINGS, STAGED_LAST_HOUR.
RELATIONS = ("new_readings", "last_hour")
FOLDER = "quality"
#: Path in the repository of the page that says what to do about a rule that fails.
RUNBOOK = "docs/runbooks/data_quality.md"
#: The value of ``since`` that checks everything; no event is older.
WHOLE = "0001-01-01T00:00:00"

_SINCE = sql.bind("since")


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule; ``statement`` is its query without a semicolon, ready to run or to be wrapped."""

    name: str
    severity: Severity
    owner: str
    meaning: str
    action: str
    runbook: str
    statement: str
    reads: tuple[str, ...] = ()
    notify: Literal["", "once"] = ""

    @property
    def notifies(self) -> bool:
        """Whether people are notified of a warning, once; a rule of severity fail always notifies them."""
        return self.notify == "once"

    @property
    def relation(self) -> str:
        """The relation that it reads; empty if it is no rule over consecutive readings."""
        return next((name for name in self.reads if name in RELATIONS), "")

    @property
    def link(self) -> str:
        """File and section that say what to do."""
        return f"{RUNBOOK}#{self.runbook}"

    @property
    def is_bounded(self) -> bool:
        """Whether the query has the bind ``since``."""
        return _SINCE in self.statement


class RuleError(ValueError):
    """A rule file is unusable; the message names the file and what is wrong with it."""

    def __init__(self, rule: str, problem: str) -> None:
        super().__init__(f"{rule}.sql: {problem}")
        self.rule = rule


_OPTIONAL_KEYS = ("reads", "notify")
_KEYS = tuple(field for field in Rule.__struct_fields__ if field not in {"statement", *_OPTIONAL_KEYS})
_KEY_LINE = re.compile(r"-- (\w+): *(.*)")
_CONTINUATION = re.compile(r"--  +(.*)")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_STAGED = re.compile(r"\bSTAGED_(\w+)", re.IGNORECASE)


def rules() -> tuple[Rule, ...]:
    """Return every rule, by name.

    Raises:
        RuleError: a file is not a rule, or there is none.
    """
    usable, unusable = read()
    if unusable:
        raise unusable[0]
    return usable


def read() -> tuple[tuple[Rule, ...], tuple[RuleError, ...]]:
    """Return the rules, by name, and an error for each unusable file: one bad file must not stop the other rules.

    Raises:
        RuleError: there is no file at all.  Nothing would be checked, and nobody would know.
    """
    files = sorted((sql.SQL_DIRECTORY / FOLDER).glob("*.sql"))
    if not files:
        raise RuleError("*", f"no rule in {sql.SQL_DIRECTORY / FOLDER}")
    usable: list[Rule] = []
    unusable: list[RuleError] = []
    for file in files:
        try:
            usable.append(parse(file.stem, sql.render(f"{FOLDER}/{file.name}")))
        except RuleError as error:
            unusable.append(error)
        except jinja2.TemplateError as error:
            unusable.append(RuleError(file.stem, f"can't be rendered: {error}"))
    return tuple(usable), tuple(unusable)


def switched_on(rules: Collection[Rule], off: str) -> tuple[Rule, ...]:
    """Return the rules without those of ``off``, names separated by commas (setting CTD_QUALITY_RULES_OFF).

    Raises:
        ValueError: a name is of no rule, or of one of severity fail, which guards the history.
    """
    names = {name.strip() for name in off.split(",") if name.strip()}
    warnings = {rule.name for rule in rules if rule.severity == "warn"}
    if unknown := sorted(names - {rule.name for rule in rules}):
        known = ", ".join(sorted(warnings))
        raise ValueError(
            f"CTD_QUALITY_RULES_OFF names {', '.join(unknown)}, which is no rule; you can turn off {known}"
        )
    if guards := sorted(names - warnings):
        raise ValueError(
            f"CTD_QUALITY_RULES_OFF names {', '.join(guards)}: only a rule of severity warn can be turned off"
        )
    return tuple(rule for rule in rules if rule.name not in names)


def parse(stem: str, text: str) -> Rule:
    """Return the rule of the file ``<stem>.sql`` with the rendered ``text``.

    Raises:
        RuleError: as :func:`rules`.
    """
    values, query = _front_matter(stem, text)
    if not _NAME.fullmatch(stem):
        raise RuleError(stem, "its name has other characters than lower-case letters, digits and underscores")
    if missing := [name for name in _KEYS if not values.get(name)]:
        raise RuleError(stem, f"the comment that opens the file lacks {', '.join(missing)}")
    if unknown := sorted(values.keys() - {*_KEYS, *_OPTIONAL_KEYS}):
        known = ", ".join([*_KEYS, *_OPTIONAL_KEYS])
        raise RuleError(stem, f"unknown key {', '.join(unknown)}; known keys are {known}")
    if values["severity"] not in get_args(Severity):
        raise RuleError(stem, f"severity is {values['severity']!r}, not one of {', '.join(get_args(Severity))}")
    if values.get("notify", "once") != "once":
        raise RuleError(stem, f"notify is {values['notify']!r}; the only value is once")
    if values["name"] != stem:
        raise RuleError(stem, f"its name is {values['name']!r}, but must be that of the file")
    if not re.search(r"\bSAMPLE_KEY\b", query, re.IGNORECASE):
        raise RuleError(stem, "its query has no column SAMPLE_KEY")
    if ";" in query:
        raise RuleError(stem, "it has more than one statement")
    if _SINCE in query and "%" in query.replace(_SINCE, "").replace("%%", ""):
        raise RuleError(stem, "write % as %% in a query that has the bind since")
    reads = tuple(source.strip() for source in values.pop("reads", "").split(",") if source.strip())
    known_sources = (*SOURCES, *RELATIONS)
    if strangers := sorted(set(reads) - set(known_sources)):
        raise RuleError(stem, f"it reads {', '.join(strangers)}, which is not one of {', '.join(known_sources)}")
    if (staged := {name.lower() for name in _STAGED.findall(query)}) != set(reads):
        raise RuleError(stem, f"it says that it reads {sorted(reads)}, but its query reads {sorted(staged)}")
    return msgspec.convert({**values, "statement": query, "reads": reads}, Rule)


def _front_matter(stem: str, text: str) -> tuple[dict[str, str], str]:
    """Return the values of the comment that opens the file, and the query after it."""
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
            raise RuleError(stem, f"not a 'key: value' line, nor an indented line that continues one: {line!r}")
    return values, "\n".join(lines).strip().removesuffix(";").strip()
