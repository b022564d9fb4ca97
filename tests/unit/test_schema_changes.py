"""Which differences between an account and sql/ddl stop an upgrade; tests/sql/test_upgrade.py makes one."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from include import names, sql
from include.cloudformation import TEMPLATE
from include.cloudformation.render import load
from include.schema_changes import Objects, declared_objects, impossible_changes, parse
from tests.fixtures.named_template import UNCHANGEABLE, identities_of_resources
from tests.releases import DDL, RESOURCES, releases

pytestmark = pytest.mark.unit

TABLE = """
create {kind}table if not exists D.S.T (
    -- What it is.
    ID string not null comment 'Which, and why (a comment)',
    SPEED float comment 'mph',
    COUNTED {counted}
)
cluster by ({key})
comment = 'T';

alter table D.S.T
add column if not exists COUNTED integer comment 'it''s; a count';

create stream if not exists D.S.NEW_ROWS
on table {source}
append_only = true
comment = 'new rows';
"""


def ddl(kind: str = "", counted: str = "integer", key: str = "to_date(AT)", source: str = "D.S.T") -> str:
    return TABLE.format(kind=kind, counted=counted, key=key, source=source)


def changes(present: str, wanted: str, **options: bool) -> list[str]:
    return impossible_changes(parse(wanted), parse(present), **options)


def without(column: str, text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith(f"    {column} "))


def test_a_deployment_of_the_same_version_can_be_upgraded() -> None:
    assert changes(ddl(), ddl()) == []
    # As Snowflake shows a clustering key; without one, the shop decided so; a permanent table stays permanent.
    assert changes(ddl(key="LINEAR(TO_DATE(AT))"), ddl()) == []
    assert changes(ddl().replace("cluster by (to_date(AT))\n", ""), ddl()) == []
    assert changes(ddl(kind="transient "), ddl()) == []
    # Not there yet.
    assert impossible_changes(parse(ddl()), Objects({}, {})) == []


def test_a_column_that_is_added_may_be_missing() -> None:
    older = without("COUNTED", ddl()).replace("'mph',", "'mph'")
    assert changes(older, ddl()) == []


@pytest.mark.parametrize(
    ("present", "wanted", "expected"),
    [
        (ddl(), without("SPEED", ddl()), "T.SPEED is not a column of this version"),
        (without("SPEED", ddl()), ddl(), "T.SPEED is missing, and this version does not add it: somebody dropped it"),
        (
            ddl(counted="string"),
            ddl(counted="string(20)"),
            "T.COUNTED is VARCHAR(16777216), and this version declares VARCHAR(20)",
        ),
        (
            ddl(counted="string(20)"),
            ddl(counted="string"),
            "T.COUNTED is VARCHAR(20), and this version declares VARCHAR(16777216)",
        ),
        (
            ddl(counted="number(9, 2)"),
            ddl(counted="number(9,1)"),
            "T.COUNTED is NUMBER(9,2), and this version declares NUMBER(9,1)",
        ),
        (ddl(counted="float"), ddl(), "T.COUNTED is FLOAT, and this version declares NUMBER(38,0)"),
        (
            ddl(),
            ddl(counted="integer not null"),
            "T.COUNTED allows NULL, and this version declares that it does not allow NULL",
        ),
        (
            ddl(counted="integer not null"),
            ddl(),
            "T.COUNTED does not allow NULL, and this version declares that it allows NULL",
        ),
        (ddl(key="ID"), ddl(), "T is clustered by (ID), and this version declares (TO_DATE(AT))"),
        (
            ddl(source="D.S.OTHER"),
            ddl(),
            "stream NEW_ROWS is append-only on D.S.OTHER, and this version declares append-only on D.S.T",
        ),
        (
            ddl().replace("append_only = true\n", ""),
            ddl(),
            "stream NEW_ROWS is of all changes on D.S.T, and this version declares append-only on D.S.T",
        ),
    ],
    ids=lambda each: "" if each.startswith("\n") else each,
)
def test_an_impossible_change_names_object_and_column(present: str, wanted: str, expected: str) -> None:
    assert changes(present, wanted) == [expected]


def test_an_unknown_column_may_stay_unless_rows_need_it() -> None:
    older = without("SPEED", ddl())
    assert changes(ddl(), older, keep_unknown_columns=True) == []
    required = ddl().replace("SPEED float", "SPEED float not null")
    assert changes(required, older, keep_unknown_columns=True) == [
        "T.SPEED does not allow NULL, and this version does not write it"
    ]


def test_an_account_whose_texts_are_longer_by_default_is_fine() -> None:
    assert changes(ddl(counted="string(134217728)"), ddl(counted="string")) == []


@pytest.mark.parametrize("line", ["COUNTED variant", "COUNTED", "primary key (ID)"])
def test_a_column_that_is_written_in_another_way_is_no_silence(line: str) -> None:
    with pytest.raises(ValueError, match="not a column as sql/ddl writes them"):
        parse(ddl().replace("COUNTED integer\n", f"{line}\n"))


def test_every_table_and_stream_of_the_ddl_is_compared() -> None:
    declared = declared_objects()
    files = (sql.SQL_DIRECTORY / "ddl").glob("*.sql")
    assert len(declared.tables) == sum(len(re.findall(r"^create \w* ?table", file.read_text(), re.M)) for file in files)
    assert set(declared.streams) == {names.RAW_STREAM, names.PLAUSIBILITY_STREAM}
    assert declared.tables[names.RAW_TABLE].clustering == "TO_DATE(EVENT_TIME)"
    assert declared.tables[names.HISTORY_TABLE].clustering == "IS_CURRENT,TO_DATE(EFFECTIVE_START_DATE)"
    assert (names.RAW_TABLE, "NULLED_METRICS") in declared.added
    assert {table for table, _ in declared.added} <= set(declared.tables)
    # What an ALTER TABLE adds can't be required: older rows have no value.
    for table, column in declared.added:
        assert not declared.tables[table].columns[column].required


@pytest.mark.parametrize("release", releases(), ids=lambda path: path.name)
def test_every_released_deployment_can_be_upgraded(release: Path) -> None:
    released = parse((release / DDL).read_text())
    assert names.RAW_TABLE in released.tables
    assert impossible_changes(declared_objects(), released) == []


@pytest.mark.parametrize("release", releases(), ids=lambda path: path.name)
def test_no_resource_of_a_released_stack_is_replaced_or_deleted(release: Path) -> None:
    released = json.loads((release / RESOURCES).read_text())
    assert {each["Type"] for each in released.values()} == UNCHANGEABLE.keys()
    present = identities_of_resources(load(TEMPLATE))
    assert {name: present.get(name) for name in released} == released


def test_the_last_release_is_kept() -> None:
    changelog = (Path(__file__).parents[2] / "docs/CHANGELOG.md").read_text()
    last = re.findall(r"^## (\d+\.\d+\.\d+) ", changelog, re.M)[0]
    assert last in [each.name for each in releases()]
