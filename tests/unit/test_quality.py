"""A rule file says what it means, or is refused."""

import pytest

from include import quality, sql

pytestmark = pytest.mark.unit

GOOD = """\
-- name: trucks_are_known
-- severity: warn
-- owner: data-platform
-- meaning: A truck reports
--   that nobody registered.
-- action: Register it.
select TRUCK_ID as SAMPLE_KEY
from TRUCK_TELEMETRY_DATA;
"""


def test_every_rule_of_ours_is_usable():
    names = [rule.name for rule in quality.rules()]
    assert names == sorted(names)
    assert "one_current_version_per_truck" in names


def test_rule_is_its_comment_and_its_query():
    assert quality.parse("trucks_are_known", GOOD) == quality.Rule(
        name="trucks_are_known",
        severity="warn",
        owner="data-platform",
        meaning="A truck reports that nobody registered.",
        action="Register it.",
        statement="select TRUCK_ID as SAMPLE_KEY\nfrom TRUCK_TELEMETRY_DATA",
    )


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("-- owner: data-platform\n", "", "owner missing"),
        ("-- action: Register it.", "-- action:", "action missing"),
        ("-- owner:", "-- onwer: me\n-- owner:", "unknown onwer; known are name, severity, owner, meaning, action"),
        ("-- owner:", "-- owner: me\n-- owner:", "owner is given twice"),
        ("-- name:", "-- Checks trucks.\n-- name:", "not a 'key: value' line"),
        ("severity: warn", "severity: panic", "severity is 'panic', not one of fail, warn"),
        ("name: trucks_are_known", "name: trucks", "its name is 'trucks', not that of the file"),
        ("SAMPLE_KEY", "TRUCK", "its query has no column SAMPLE_KEY"),
        ("select", "delete from KNOWN_TRUCKS;\nselect", "more than one statement"),
    ],
)
def test_unusable_rule_is_refused_and_named(before, after, complaint):
    assert before in GOOD
    with pytest.raises(quality.RuleError, match=rf"^trucks_are_known\.sql: .*{complaint}"):
        quality.parse("trucks_are_known", GOOD.replace(before, after, 1))


def test_no_rule_at_all_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(sql, "SQL_DIRECTORY", tmp_path)
    with pytest.raises(quality.RuleError, match="no rule in"):
        quality.rules()
