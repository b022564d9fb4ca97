"""Erasing a truck from the tables."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from snowflake.connector.errors import Error

from include import names
from include.erasure import kept_tables, truck_tables
from include.erasure.copies import TableFacts
from sql.merge.history_oracle import ATTRIBUTES, from_raw, history

pytestmark = pytest.mark.sql

ALERT_COLUMNS = (
    "ALERT_ID", "INCIDENT", "STATE", "SEVERITY", "HEADLINE", "MESSAGE", "IS_OVER", "RUN_ID", "STORED_AT", "SENT_TO",
)  # fmt: skip
START = datetime(2026, 11, 22, 10)  # noqa: DTZ001  A TIMESTAMP_NTZ: UTC by convention.
QUALITY_COLUMNS = ("RUN_ID", "RULE", "SEVERITY", "STATUS", "FAILED_COUNT", "SAMPLES", "MESSAGE", "CHECKED_AT")


def readings(truck, count=4):
    return [
        dict.fromkeys(ATTRIBUTES)
        | {
            "TRUCK_ID": truck,
            "EVENT_TIME": START + timedelta(seconds=number),
            "ARRIVAL_TIME": START + timedelta(seconds=number),
            "SEQUENCE_NUMBER": str(100 + number),
            "VEHICLE_SPEED": float(number // 2),
            "FILE_NAME": "telemetry-data/1.json.gz",
            "FILE_ROW_NUMBER": number,
            "LOAD_TIMESTAMP": START,
        }
        for number in range(count)
    ]


def quality_row(rule, samples, message="-", status="fail"):
    return ("run", rule, "warn", status, len(samples), json.dumps(samples), message, START)


def alert(alert_id, message):
    return (alert_id, "i", "failed", "error", "[failed] a", message, False, "run", START, "[]")


@pytest.fixture
def filled(empty_snowflake):
    empty_snowflake.land(readings("TRK001") + readings("TRK002") + readings("TRK0011"))
    empty_snowflake.merge()
    # These wait for a merge, in RAW and in the stream.
    empty_snowflake.land(readings("TRK001", 6)[4:] + readings("TRK002", 6)[4:])
    empty_snowflake.insert(
        names.QUALITY_RESULTS_TABLE,
        QUALITY_COLUMNS,
        [
            quality_row("a_truck", ["TRK002", "TRK001"]),
            quality_row("a_version", ["TRK001 2026-11-22 10:00:00.000"]),
            quality_row("others", ["TRK0011", "TRK002 2026-11-22", "XTRK001"], "Not TRK001 in particular"),
            quality_row("error", [], "Numeric value 'TRK001' is not recognized", "error"),
        ],
    )
    empty_snowflake.insert(
        names.FINDINGS_TABLE,
        ("RULE", "TRUCK_ID", "READINGS", "FIRST_FOUND_AT", "LAST_FOUND_AT", "EVENT_TIME", "DETAIL"),
        [("positions_are_on_roads", truck, 1, START, START, START, "at 0, 0") for truck in ("TRK001", "TRK0011")],
    )
    empty_snowflake.insert(names.ALERTS_TABLE, ALERT_COLUMNS, [alert("1", "samples  TRK001")])
    yield empty_snowflake
    empty_snowflake.execute(f"delete from {names.ALERTS_TABLE}")
    # All tests share the register.
    empty_snowflake.execute(f"delete from {names.KNOWN_TRUCKS_TABLE} where TRUCK_ID = 'TRK001'")
    empty_snowflake.insert(names.KNOWN_TRUCKS_TABLE, ("TRUCK_ID", "REGISTERED_AT"), [("TRK001", START)])


def quality(filled):
    rows = filled.execute(f"select RULE, SAMPLES, MESSAGE from {names.QUALITY_RESULTS_TABLE} order by RULE")
    return {rule: (json.loads(samples), message) for rule, samples, message in rows}


def oracle(*trucks):
    return history(from_raw(row) for truck in trucks for row in readings(truck, 4 if truck == "TRK0011" else 6))


def test_of_the_truck_nothing_is_left_and_of_others_everything(filled):
    assert truck_tables.count_rows(filled.connection, "TRK001") == {
        names.RAW_TABLE: 6,
        names.HISTORY_TABLE: 2,
        names.KNOWN_TRUCKS_TABLE: 1,
        names.ASSIGNMENTS_TABLE: 0,
        names.FINDINGS_TABLE: 1,
        names.QUALITY_RESULTS_TABLE: 3,
        names.LEDGER_TABLE: 0,
        names.ALERTS_TABLE: 1,
    }
    before = quality(filled)
    truck_tables.erase_rows(filled.connection, "TRK001")
    assert filled.execute("select HEADLINE, MESSAGE from ALERTS") == [
        ("[failed] a", "It named a truck that was erased")
    ]
    assert set(truck_tables.count_rows(filled.connection, "TRK001").values()) == {0}
    assert filled.execute(f"select TRUCK_ID, count(*) from {names.RAW_TABLE} group by 1 order by 1") == [
        ("TRK0011", 4),
        ("TRK002", 6),
    ]
    known = filled.execute(f"select TRUCK_ID from {names.KNOWN_TRUCKS_TABLE} order by TRUCK_ID")
    assert known == [("TRK002",), ("TRK003",)]
    after = quality(filled)
    assert after["others"] == before["others"]
    assert after["a_truck"][0] == after["a_version"][0] == []
    assert "TRK001" not in json.dumps([after[rule] for rule in ("a_truck", "a_version", "error")])


def test_the_merge_of_what_the_stream_still_has_does_not_bring_it_back(filled):
    truck_tables.erase_rows(filled.connection, "TRK001")
    filled.merge()
    assert filled.history() == oracle("TRK0011", "TRK002")


def test_what_an_erasure_rewrites_is_all_of_the_days_of_the_truck(filled):
    other_day = [row | {"EVENT_TIME": row["EVENT_TIME"] - timedelta(days=1)} for row in readings("TRK002", 3)]
    filled.land(other_day)
    rows = filled.execute(f"select count(*) from {names.RAW_TABLE}")[0][0]
    assert truck_tables.rewritten_rows(filled.connection, "TRK001") == (rows - 3, rows)


def test_what_decides_how_long_copies_stay_is_read_from_the_account(filled):
    facts = kept_tables.table_facts(filled.connection)
    assert facts[names.RAW_TABLE] == TableFacts(is_transient=False, retention_days=1)
    assert facts[names.QUALITY_RESULTS_TABLE] == TableFacts(is_transient=True, retention_days=1)
    permanent = {name for name, fact in facts.items() if not fact.is_transient}
    assert permanent >= {names.HISTORY_TABLE, names.KNOWN_TRUCKS_TABLE, names.LEDGER_TABLE, names.ALERTS_TABLE}
    before = datetime.now(UTC)

    def unread():
        return kept_tables.unread_streams(kept_tables.stream_offsets(filled.connection), before)

    assert unread() == list(kept_tables.STREAMS_ON_RAW)
    filled.merge()
    assert unread() == [names.PLAUSIBILITY_STREAM]
    assert kept_tables.last_load_message(filled.connection) is None


def test_a_second_time_changes_nothing(filled):
    truck_tables.erase_rows(filled.connection, "TRK001")
    filled.merge()
    truck_tables.erase_rows(filled.connection, "TRK001")
    assert filled.history() == oracle("TRK0011", "TRK002")


def test_a_failure_on_the_way_leaves_everything(filled, monkeypatch):
    before = truck_tables.count_rows(filled.connection, "TRK001")
    text = truck_tables.sql.render(truck_tables.ERASE).replace("commit;", "delete from NO_SUCH_TABLE;\n\ncommit;")
    monkeypatch.setattr(truck_tables.sql, "render", lambda path: text)
    with pytest.raises(Error, match="NO_SUCH_TABLE"):
        truck_tables.erase_rows(filled.connection, "TRK001")
    monkeypatch.undo()
    assert truck_tables.count_rows(filled.connection, "TRK001") == before
    filled.merge()
    assert filled.history() == oracle("TRK001", "TRK0011", "TRK002")


def test_the_ledger_forgets_its_samples_of_the_truck_and_nothing_else(filled):
    columns = [row[0] for row in filled.execute(f"describe table {names.LEDGER_TABLE}")]
    counted = dict.fromkeys(columns, 0) | {"IS_OPEN": False, "BALANCED": False, "CHECKED_AT": START, "RUN_ID": "run"}
    rows = [
        counted | {"STREAM_NAME": names.TRUCK_STREAM, "ARRIVAL_HOUR": START + timedelta(hours=hour), "DETAILS": text}
        for hour, text in enumerate(
            ('{"overdue":["shardId-0 7 TRK001 2026-11-22T10:00:00"]}', '{"missing":["shardId-0 8 TRK0011 has"]}', "{}")
        )
    ]
    filled.insert(names.LEDGER_TABLE, columns, ([row[column] for column in columns] for row in rows))
    try:
        truck_tables.erase_rows(filled.connection, "TRK001")
        details = filled.execute(f"select DETAILS from {names.LEDGER_TABLE} order by ARRIVAL_HOUR")
        assert details == [("{}",), (rows[1]["DETAILS"],), ("{}",)]
    finally:
        filled.execute(f"delete from {names.LEDGER_TABLE}")


def test_assignments_that_name_the_truck_are_found_on_either_side(filled):
    columns = ("REPORTED_ID", "FROM_TIME", "UNTIL_TIME", "TRUCK_ID", "DECIDED_AT", "DECIDED_BY", "REASON")
    rows = [(reported, START, "9999-12-31", truck, START, "tests", "-") for reported, truck in
            (("NEW", "TRK001"), ("TRK001", "TRK777"), ("TRK0011", "TRK002"))]  # fmt: skip
    filled.insert(names.ASSIGNMENTS_TABLE, columns, rows)
    found = truck_tables.assignments_of(filled.connection, "TRK001")
    assert found == [
        f"{reported} from {START} until 9999-12-31 00:00:00 is {truck}"
        for reported, truck in (("NEW", "TRK001"), ("TRK001", "TRK777"))
    ]
    assert truck_tables.count_rows(filled.connection, "TRK001")[names.ASSIGNMENTS_TABLE] == 2


def test_an_id_is_a_value_whatever_is_in_it(filled):
    odd = "Trück's \"%\\_' or 1=1 --"
    filled.land(readings(odd, 1))
    filled.insert(names.QUALITY_RESULTS_TABLE, QUALITY_COLUMNS, [quality_row("odd", [f"{odd} 2026"])])
    assert truck_tables.count_rows(filled.connection, odd)[names.QUALITY_RESULTS_TABLE] == 1
    truck_tables.erase_rows(filled.connection, odd)
    assert set(truck_tables.count_rows(filled.connection, odd).values()) == {0}
    assert truck_tables.count_rows(filled.connection, "TRK002")[names.RAW_TABLE] == 6


def messages(filled):
    return dict(filled.execute("select ALERT_ID, MESSAGE from ALERTS"))


def test_an_alert_or_error_that_names_only_a_truck_with_a_longer_id_stays(filled):
    others = {
        "longer": "samples  TRK10, XTRK1, TRK1A",
        "unsent": "a rule: 1 offending key\n  samples  TRK10 2026-11-22\n",
    }
    ours = {
        "alone": "TRK1",
        "listed": "samples  TRK10, TRK1",
        "line": "of TRK10\nTRK1: no position",
        "quoted": "'TRK1'",
    }
    filled.insert(names.ALERTS_TABLE, ALERT_COLUMNS, [alert(*each) for each in (others | ours).items()])
    rows = [("theirs", "Numeric value 'TRK10' is not recognized"), ("ours", "Numeric value 'TRK1' is not recognized")]
    filled.insert(
        names.QUALITY_RESULTS_TABLE, QUALITY_COLUMNS, [quality_row(rule, [], text, "error") for rule, text in rows]
    )
    found = truck_tables.count_rows(filled.connection, "TRK1")
    assert (found[names.ALERTS_TABLE], found[names.QUALITY_RESULTS_TABLE]) == (len(ours), 1)
    truck_tables.erase_rows(filled.connection, "TRK1")
    assert messages(filled) == {"1": "samples  TRK001"} | others | dict.fromkeys(ours, truck_tables.INSTEAD)
    assert quality(filled)["theirs"] == ([], rows[0][1])
    assert quality(filled)["ours"] == ([], truck_tables.INSTEAD)
    assert set(truck_tables.count_rows(filled.connection, "TRK1").values()) == {0}


@pytest.mark.parametrize("truck", ["truck", truck_tables.INSTEAD])
def test_nothing_is_left_of_a_truck_whose_id_is_in_the_text_that_replaces_it(filled, truck):
    filled.insert(names.ALERTS_TABLE, ALERT_COLUMNS, [alert("2", f"samples  {truck} 2026-11-22")])
    filled.insert(names.QUALITY_RESULTS_TABLE, QUALITY_COLUMNS, [quality_row("e", [], f"'{truck}'", "error")])
    truck_tables.erase_rows(filled.connection, "TRK001")
    assert truck_tables.count_rows(filled.connection, truck)[names.ALERTS_TABLE] == 1
    truck_tables.erase_rows(filled.connection, truck)
    assert set(truck_tables.count_rows(filled.connection, truck).values()) == {0}
    assert messages(filled) == dict.fromkeys(("1", "2"), truck_tables.INSTEAD)


ODD_IDS = (
    "Trück's \"%\\_' or 1=1 --", ".*", "[a-z]+", "^(a|b{2})?$", "1, 1", "\\d", "-1-", "\u7532\U0001f69a",
)  # fmt: skip


def test_a_message_names_an_id_of_any_characters(empty_snowflake):
    try:
        for odd in ODD_IDS:
            ours = {"ours": f"x{odd}, {odd} 2026", "alone": odd, "between": f"…{odd}”"}
            others = {"theirs": f"samples  x{odd}9, trk 1, a"}
            empty_snowflake.insert(
                names.ALERTS_TABLE, ALERT_COLUMNS, [alert(*each) for each in (ours | others).items()]
            )
            assert truck_tables.count_rows(empty_snowflake.connection, odd)[names.ALERTS_TABLE] == len(ours), odd
            truck_tables.erase_rows(empty_snowflake.connection, odd)
            assert messages(empty_snowflake) == others | dict.fromkeys(ours, truck_tables.INSTEAD), odd
            empty_snowflake.execute(f"delete from {names.ALERTS_TABLE}")
    finally:
        empty_snowflake.execute(f"delete from {names.ALERTS_TABLE}")
