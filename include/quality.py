"""The data quality rules of ``sql/quality``: one file a rule, which says what it means and what to do about it.

A file begins with a comment of ``key: value`` lines, continued by indented ones, and holds one query::

    -- name: trucks_are_known
    -- severity: warn
    -- owner: data-platform
    -- meaning: A truck reports that the register of the fleet does not have.
    -- action: Register it in KNOWN_TRUCKS, or find out who sends in its name.
    select TRUCK_ID as SAMPLE_KEY
    from ...;

The query returns a row for each offending key, in the column SAMPLE_KEY; no row means that the rule holds.
"""

from __future__ import annotations

import re
from typing import Literal, get_args

import msgspec

from include import sql

Severity = Literal["fail", "warn"]
FOLDER = "quality"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule; ``statement`` is its query, ready to run or to be wrapped: no semicolon at its end."""

    name: str
    severity: Severity
    owner: str
    meaning: str
    action: str
    statement: str


class RuleError(ValueError):
    """A rule file is unusable; the message names the file and what is wrong with it."""


_KEYS = tuple(field for field in Rule.__struct_fields__ if field != "statement")
_KEY_LINE = re.compile(r"-- (\w+): *(.*)")
_CONTINUATION = re.compile(r"--  +(.*)")


def rules() -> tuple[Rule, ...]:
    """Every rule, by name.

    Raises:
        RuleError: a file is not a rule, or there is none: then nothing would be checked, and nobody would know.
    """
    files = sorted((sql.SQL_DIRECTORY / FOLDER).glob("*.sql"))
    if not files:
        raise RuleError(f"no rule in {sql.SQL_DIRECTORY / FOLDER}")
    return tuple(parse(file.stem, sql.render(f"{FOLDER}/{file.name}")) for file in files)


def parse(stem: str, text: str) -> Rule:
    """The rule of the file ``<stem>.sql`` with the rendered ``text``.

    Raises:
        RuleError: as :func:`rules`.
    """
    values: dict[str, str] = {}
    key = None
    lines = text.splitlines()
    while lines and lines[0].startswith("--"):
        line = lines.pop(0)
        if found := _KEY_LINE.fullmatch(line):
            key, value = found.groups()
            if key in values:
                raise RuleError(f"{stem}.sql: {key} is given twice")
            values[key] = value.strip()
        elif (found := _CONTINUATION.fullmatch(line)) and key:
            values[key] = f"{values[key]} {found[1].strip()}".strip()
        else:
            raise RuleError(f"{stem}.sql: not a 'key: value' line, nor an indented one after it: {line!r}")
    query = "\n".join(lines).strip().removesuffix(";").strip()
    if missing := [name for name in _KEYS if not values.get(name)]:
        raise RuleError(f"{stem}.sql: {', '.join(missing)} missing from the comment that opens the file")
    if unknown := sorted(values.keys() - set(_KEYS)):
        raise RuleError(f"{stem}.sql: unknown {', '.join(unknown)}; known are {', '.join(_KEYS)}")
    if values["severity"] not in get_args(Severity):
        raise RuleError(f"{stem}.sql: severity is {values['severity']!r}, not one of {', '.join(get_args(Severity))}")
    if values["name"] != stem:
        raise RuleError(f"{stem}.sql: its name is {values['name']!r}, not that of the file")
    if not re.search(r"\bSAMPLE_KEY\b", query, re.IGNORECASE):
        raise RuleError(f"{stem}.sql: its query has no column SAMPLE_KEY")
    if ";" in query:
        raise RuleError(f"{stem}.sql: more than one statement")
    return Rule(statement=query, **values)
