"""Which role the claims of an identity token give."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.access.roles import Role, Rule, RuleError, read_rules, role_by_claims

pytestmark = pytest.mark.unit

VERIFIED = {"email_verified": True}


@pytest.mark.parametrize(
    ("rule", "claims", "holds"),
    [
        ("groups=operators", {"groups": ["readers", "operators"]}, True),
        ("groups=operators", {"groups": "operators"}, True),
        ("groups=operators", {"groups": "operators,readers"}, False),
        ("groups=operators", {"groups": ["Operators", "operators-of-others"]}, False),
        ("groups=operators", {"groups": None}, False),
        ("groups=operators", {}, False),
        ("cognito:groups=a", {"cognito:groups": ["a"]}, True),
        ("https://example.com/roles=a", {"https://example.com/roles": ["a"]}, True),
        ("sub=*", {"sub": "1"}, True),
        ("groups=*", {"groups": []}, False),
        ("groups=*", {}, False),
        ("email=Ana@example.com", {"email": "ana@Example.com", **VERIFIED}, True),
        ("email=ana@example.com", {"email": "ana@example.com", "email_verified": "true"}, True),
        ("email=*@example.com", {"email": "ana@EXAMPLE.com", **VERIFIED}, True),
        ("email=*@example.com", {"email": "ana@example.com.evil.test", **VERIFIED}, False),
        ("email=*@example.com", {"email": "ana@evil-example.com", **VERIFIED}, False),
        ("email=*@example.com", {"email": "example.com", **VERIFIED}, False),
        ("email=*", {"email": "ana@example.com", **VERIFIED}, True),
        ("email=*", VERIFIED, False),
        # Whoever may type an address into their profile could take any.
        ("email=ana@example.com", {"email": "ana@example.com", "email_verified": False}, False),
        ("email=ana@example.com", {"email": "ana@example.com"}, False),
        ("email=*", {"email": "ana@example.com", "email_verified": "false"}, False),
    ],
)
def test_a_rule_holds_only_for_exactly_its_value(rule: str, claims: dict[str, Any], holds: bool) -> None:
    (read,) = read_rules(rule)
    assert read.holds(claims) is holds


def test_rules_are_separated_by_commas() -> None:
    rules = (Rule("groups", "a b"), Rule("email", "*@example.com"))
    assert read_rules(" groups = a b,, email=*@example.com ,") == rules
    assert read_rules("") == ()


@pytest.mark.parametrize("text", ["operators", "groups=", "=operators", "groups=a, b"])
def test_a_rule_that_can_not_be_read_says_how_to_write_it(text: str) -> None:
    with pytest.raises(RuleError, match=r"is not claim=value, such as groups=operators"):
        read_rules(text)


def test_the_highest_role_counts_and_without_a_rule_there_is_none() -> None:
    operators, readers = read_rules("groups=operators"), read_rules("groups=*")
    assert role_by_claims({"groups": ["operators"]}, operators, readers) is Role.OPERATOR
    assert role_by_claims({"groups": ["drivers"]}, operators, readers) is Role.READER
    assert role_by_claims({}, operators, readers) is None
    assert role_by_claims({"groups": ["operators"]}, (), ()) is None
