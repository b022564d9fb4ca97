"""A rule file says what it means, or it is refused."""

import re

import jinja2
import pytest

from include import quality, sql
from include.quality.rule_alerts import COULD_NOT_RUN

pytestmark = pytest.mark.unit

GOOD = """\
-- name: trucks_are_known
-- severity: warn
-- owner: data-platform
-- meaning: A truck reports
--   that nobody registered.
-- action: Register it.
-- runbook: a-truck-is-odd
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
        runbook="a-truck-is-odd",
        statement="select TRUCK_ID as SAMPLE_KEY\nfrom TRUCK_TELEMETRY_DATA",
    )


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("-- owner: data-platform\n", "", "lacks owner"),
        ("-- action: Register it.", "-- action:", "lacks action"),
        (
            "-- owner:",
            "-- onwer: me\n-- owner:",
            "unknown key onwer; known keys are name, severity, owner, .*, reads, notify",
        ),
        ("-- owner:", "-- notify: often\n-- owner:", "notify is 'often'; the only value is once"),
        ("-- owner:", "-- owner: me\n-- owner:", "owner is given twice"),
        ("-- name:", "-- Checks trucks.\n-- name:", "not a 'key: value' line"),
        ("severity: warn", "severity: panic", "severity is 'panic', not one of fail, warn"),
        ("name: trucks_are_known", "name: trucks", "its name is 'trucks', but must be that of the file"),
        ("SAMPLE_KEY", "TRUCK", "its query has no column SAMPLE_KEY"),
        ("select", "delete from KNOWN_TRUCKS;\nselect", "more than one statement"),
        ("-- runbook: a-truck-is-odd\n", "", "lacks runbook"),
        (
            "-- owner:",
            "-- reads: clicks\n-- owner:",
            "it reads clicks, which is not one of truck_states, click_items",
        ),
        ("-- owner:", "-- reads: truck_states\n-- owner:", "says that it reads .*, but its query reads"),
        ("TRUCK_TELEMETRY_DATA", "STAGED_CLICK_ITEMS", "says that it reads .*, but its query reads"),
        ("DATA;", "DATA where 'x%' = %(since)s;", "write % as %% in a query that has the bind since"),
    ],
)
def test_unusable_rule_is_refused_and_named(before, after, complaint):
    assert before in GOOD
    with pytest.raises(quality.RuleError, match=rf"^trucks_are_known\.sql: .*{complaint}") as caught:
        quality.parse("trucks_are_known", GOOD.replace(before, after, 1))
    assert caught.value.rule == "trucks_are_known"


def test_a_file_that_is_no_rule_keeps_no_other_from_being_one(tmp_path, monkeypatch):
    monkeypatch.setattr(sql, "_TEMPLATES", sql._TEMPLATES.overlay(loader=jinja2.FileSystemLoader(tmp_path)))
    monkeypatch.setattr(sql, "SQL_DIRECTORY", tmp_path)
    (tmp_path / "quality").mkdir()
    for name, text in (
        ("trucks_are_known", GOOD),
        ("no_comment", "select 1 as SAMPLE_KEY;"),
        ("no_template", "-- name: {{ nothing }}"),
    ):
        (tmp_path / f"quality/{name}.sql").write_text(text)
    usable, unusable = quality.read()
    assert [rule.name for rule in usable] == ["trucks_are_known"]
    assert [error.rule for error in unusable] == ["no_comment", "no_template"]
    with pytest.raises(quality.RuleError, match="no_comment"):
        quality.rules()


def test_warnings_can_be_turned_off():
    rules = quality.rules()
    on = quality.switched_on(rules, " odometers_advance,trucks_report, ")
    assert {rule.name for rule in rules} - {rule.name for rule in on} == {"odometers_advance", "trucks_report"}
    assert quality.switched_on(rules, "") == rules


@pytest.mark.parametrize(
    ("off", "complaint"),
    [
        ("odometer_advances", "names odometer_advances, which is no rule; you can turn off .*odometers_advance"),
        ("odometers_advance, versions_meet", "names versions_meet: only a rule of severity warn"),
    ],
)
def test_what_is_no_warning_can_not_be_turned_off(off, complaint):
    with pytest.raises(ValueError, match=complaint):
        quality.switched_on(quality.rules(), off)


def test_the_runbook_has_the_section_that_each_rule_names():
    # How GitHub makes an anchor from a heading.
    text = (sql.SQL_DIRECTORY.parent / quality.RUNBOOK).read_text()
    anchors = {heading.lower().replace(" ", "-") for heading in re.findall(r"^### ([\w -]+)$", text, re.MULTILINE)}
    named = {rule.runbook for rule in quality.rules()} | {COULD_NOT_RUN}
    assert named <= anchors
    assert all(rule.link == f"docs/runbooks/data_quality.md#{rule.runbook}" for rule in quality.rules())


def test_rules_over_what_only_grows_are_bounded():
    history = {rule.name for rule in quality.rules() if rule.runbook == "the-history-is-wrong"}
    assert history <= {rule.name for rule in quality.rules() if rule.is_bounded}


def test_no_rule_at_all_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(sql, "SQL_DIRECTORY", tmp_path)
    with pytest.raises(quality.RuleError, match="no rule in"):
        quality.rules()
