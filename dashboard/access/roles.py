"""Which role a person has, by the claims of the identity token with which they signed in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple


class Role(StrEnum):
    """What a person may see: a reader every page, an operator also raw records and the commands that act on them."""

    READER = "reader"
    OPERATOR = "operator"


class RuleError(ValueError):
    """A rule can't be read; the message says how to write it."""


class Rule(NamedTuple):
    """Holds for whoever has ``value`` in ``claim``; the value ``*`` stands for any."""

    claim: str
    value: str

    def holds(self, claims: Mapping[str, object]) -> bool:
        """Return whether ``claims`` satisfy the rule.

        An e-mail address counts only if the provider says that it verified it: many let people type any address.
        Its case is ignored, and the value ``*@example.com`` stands for every address of that domain.
        """
        if self.claim == "email":
            return is_true(claims.get("email_verified")) and self._matches_address(str(claims.get("email") or ""))
        values = _values(claims.get(self.claim))
        return bool(values) if self.value == "*" else self.value in values

    def _matches_address(self, address: str) -> bool:
        wanted, given = self.value.casefold(), address.casefold()
        if wanted == "*":
            return bool(given)
        if wanted.startswith("*@"):
            return given.partition("@")[2] == wanted.removeprefix("*@")
        return given == wanted


def read_rules(text: str) -> tuple[Rule, ...]:
    """Read rules such as ``groups=operators, email=*@example.com``.

    A claim's name may have colons and slashes, as in ``cognito:groups``.

    Raises:
        RuleError: a part is not ``claim=value``.
    """
    rules = []
    for part in text.split(","):
        if not part.strip():
            continue
        claim, _, value = (word.strip() for word in part.partition("="))
        if not claim or not value:
            raise RuleError(f"{part.strip()!r} is not claim=value, such as groups=operators or email=*@example.com")
        rules.append(Rule(claim, value))
    return tuple(rules)


def role_by_claims(claims: Mapping[str, object], operators: Iterable[Rule], readers: Iterable[Rule]) -> Role | None:
    """Return the highest role that a rule gives, or None if none does."""
    if any(rule.holds(claims) for rule in operators):
        return Role.OPERATOR
    if any(rule.holds(claims) for rule in readers):
        return Role.READER
    return None


def is_true(claim: object) -> bool:
    """Return whether a claim is true.  Some providers send the text ``true``."""
    return claim is True or claim == "true"


def _values(claim: object) -> list[str]:
    """Return a claim's values as text: a provider sends one group as a text and several as a list."""
    if claim is None:
        return []
    return [str(each) for each in claim] if isinstance(claim, list) else [str(claim)]
