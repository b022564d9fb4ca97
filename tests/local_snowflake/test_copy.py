"""COPY INTO from JSON lines in S3."""

from __future__ import annotations

import gzip
from datetime import datetime, timedelta

import pytest

pytestmark = pytest.mark.integration

GOOD = [{"truck": "T1", "speed": 1.5, "at": "2026-11-22T10:00:00.123456"}, {"truck": "T2", "speed": None}]
BAD_SPEED = {"truck": "T3", "speed": "fast"}


@pytest.fixture(autouse=True)
def _stage(warehouse):
    warehouse.stage()


def history(warehouse):
    return {
        row[0]: row[1:]
        for row in warehouse.rows(
            """SELECT FILE_NAME, STATUS, ROW_COUNT, ROW_PARSED, ERROR_COUNT, FIRST_ERROR_MESSAGE,
                      FIRST_ERROR_LINE_NUMBER, FIRST_ERROR_COLUMN_NAME
               FROM TABLE(INFORMATION_SCHEMA.COPY_HISTORY(
                   TABLE_NAME => 'READINGS', START_TIME => DATEADD(HOUR, -1, CURRENT_TIMESTAMP())))"""
        )
    }


def test_several_files_in_one_statement_with_metadata(warehouse, copy_readings):
    keys = [warehouse.put(f"{name}.json.gz", *GOOD) for name in "ab"]
    results = warehouse.rows(copy_readings)
    assert [(row[0], row[1], row[2], row[3]) for row in results] == [
        (f"s3://local-snowflake-tests/{key}", "LOADED", 2, 2) for key in keys
    ]
    assert warehouse.rows("SELECT TRUCK, SPEED, AT, FILE, LINE FROM READINGS ORDER BY FILE, LINE") == [
        row
        for key in keys
        for row in [("T1", 1.5, datetime(2026, 11, 22, 10, 0, 0, 123456), key, 1), ("T2", None, None, key, 2)]  # noqa: DTZ001
    ]
    assert history(warehouse)["a.json.gz"][:4] == ("Loaded", 2, 2, 0)


def test_loaded_files_are_loaded_again_only_by_force(warehouse, copy_readings):
    warehouse.put("a.json.gz", *GOOD)
    warehouse.rows(copy_readings)
    assert warehouse.rows(copy_readings) == [("Copy executed with 0 files processed.",)]
    warehouse.rows(f"{copy_readings} FORCE = TRUE")
    warehouse.rows(f"{copy_readings} FORCE = FALSE")
    assert warehouse.value("SELECT COUNT(*) FROM READINGS") == 4


def test_files_and_pattern_choose(warehouse, copy_readings):
    for name in "abc":
        warehouse.put(f"{name}.json.gz", *GOOD)
    assert len(warehouse.rows(f"{copy_readings} FILES = ('a.json.gz')")) == 1
    assert len(warehouse.rows(f"{copy_readings} PATTERN = '.*/[bx].json.gz'")) == 1


def test_blank_lines_are_no_rows_but_are_counted(warehouse, copy_readings):
    warehouse.put("a.json.gz", "", GOOD[0], "", "  ", GOOD[1])
    warehouse.rows(copy_readings)
    assert warehouse.rows("SELECT LINE FROM READINGS ORDER BY 1") == [(2,), (5,)]


def test_plain_and_multi_member_gzip_and_empty_files(warehouse, copy_readings):
    warehouse.put("plain.json", raw=b'{"truck": "T1"}')
    warehouse.put("two.json.gz", raw=gzip.compress(b'{"truck": "T2"}\n') + gzip.compress(b'{"truck": "T3"}\n'))
    warehouse.put("empty.json.gz")
    assert {row[1] for row in warehouse.rows(copy_readings)} == {"LOADED"}
    assert warehouse.rows("SELECT TRUCK FROM READINGS ORDER BY 1") == [("T1",), ("T2",), ("T3",)]


def test_abort_statement_loads_nothing_and_says_where(warehouse, copy_readings):
    warehouse.put("a.json.gz", *GOOD)
    warehouse.put("b.json.gz", GOOD[0], BAD_SPEED)
    error = warehouse.error(copy_readings)
    assert "fast" in error.msg
    assert (error.errno, error.sqlstate) == (100071, "22000")
    assert "b.json.gz', line 2" in error.msg
    assert warehouse.value("SELECT COUNT(*) FROM READINGS") == 0
    told = {"b.json.gz": ("Load failed", 0, 2, 1, error_of(error), 2, '"READINGS"["SPEED":2]')}
    assert history(warehouse) == told
    warehouse.rows("BEGIN")
    warehouse.error(copy_readings)
    warehouse.rows("ROLLBACK")
    assert history(warehouse) == told
    warehouse.put("b.json.gz", *GOOD)
    assert len(warehouse.rows(copy_readings)) == 2


def error_of(error):
    """The first line of a COPY's error, without number and SQLSTATE."""
    return error.msg.split("\n")[0].split(": ", 1)[1]


@pytest.mark.parametrize(
    ("bad_line", "message", "column"),
    [
        ('{"truck": "T3", "speed": ', "Error parsing JSON", None),
        ("not json", "Error parsing JSON", None),
        (BAD_SPEED, 'Failed to cast variant value "fast" to REAL', '"READINGS"["SPEED":2]'),
        ({"truck": "T3", "at": "yesterday"}, 'Failed to cast variant value "yesterday"', '"READINGS"["AT":3]'),
        ({"speed": 1}, "NULL result in a non-nullable column 'TRUCK'", '"READINGS"["TRUCK":1]'),
    ],
    ids=["cut_off", "no_json", "bad_float", "bad_timestamp", "missing_required"],
)
@pytest.mark.parametrize("on_error", ["SKIP_FILE", "CONTINUE"])
def test_one_bad_line(warehouse, copy_readings, bad_line, message, column, on_error):
    warehouse.put("bad.json.gz", GOOD[0], bad_line, GOOD[1])
    warehouse.put("good.json.gz", *GOOD)
    warehouse.rows(f"{copy_readings} ON_ERROR = {on_error}")
    kept = 2 if on_error == "CONTINUE" else 0
    status, loaded, parsed, errors, first, line, at = history(warehouse)["bad.json.gz"]
    assert (status, loaded, parsed, errors) == ("Partially loaded" if kept else "Load failed", kept, 3, 1)
    assert first.startswith(message)
    assert (line, at) == (2, column)
    assert history(warehouse)["good.json.gz"][0] == "Loaded"
    assert warehouse.value("SELECT COUNT(*) FROM READINGS") == 2 + kept


def test_true_is_no_number(warehouse, copy_readings):
    warehouse.put("bad.json.gz", GOOD[0], GOOD[0] | {"speed": True})
    warehouse.put("good.json.gz", GOOD[0])
    warehouse.rows(f"{copy_readings} ON_ERROR = CONTINUE")
    first = "Failed to cast variant value true to REAL"
    assert history(warehouse)["bad.json.gz"] == ("Partially loaded", 1, 2, 1, first, 2, '"READINGS"["SPEED":2]')
    assert warehouse.value("SELECT COUNT(*) FROM READINGS") == 2


def test_a_number_is_the_same_where_a_key_is_missing(warehouse, copy_readings):
    """Files whose lines have all the keys are read differently."""
    spelled = [
        "0", "-0.0", "1", "2.50", "1e3", "-7", "0.1", "4.35", "5e-324", "9007199254740993",
        "18446744073709551616", "1.7976931348623157e308", "123456789012345678901234567890", '"1"', '"2.5"',
        '"1e3"', '"\\u0031"', '"NaN"', "null",
    ]  # fmt: skip
    lines = [f'{{"truck": "T{index}", "speed": {value}' for index, value in enumerate(spelled)]
    warehouse.put("whole.json.gz", *(line + ', "at": null}' for line in lines))
    warehouse.put("other.json.gz", *(line + "}" for line in lines))
    loaded = []
    for name in ("whole", "other"):
        warehouse.rows(f"{copy_readings} FILES = ('{name}.json.gz') ON_ERROR = ABORT_STATEMENT")
        loaded.append(warehouse.rows("SELECT TRUCK, TO_VARCHAR(SPEED) FROM READINGS ORDER BY LINE"))
        warehouse.rows("TRUNCATE TABLE READINGS")
    assert loaded[0] == loaded[1]
    assert len(loaded[0]) == len(spelled)


def test_skip_file_with_a_limit(warehouse, copy_readings):
    warehouse.put("two_of_five.json.gz", *GOOD, GOOD[0], "x", "y")
    warehouse.rows(f"{copy_readings} ON_ERROR = SKIP_FILE_3")
    assert history(warehouse)["two_of_five.json.gz"][:2] == ("Partially loaded", 3)
    warehouse.put("again.json.gz", *GOOD, GOOD[0], "x", "y")
    warehouse.rows(f"{copy_readings} ON_ERROR = 'SKIP_FILE_20%'")
    assert history(warehouse)["again.json.gz"][:2] == ("Load failed", 0)


@pytest.mark.parametrize(
    ("lines", "bad", "status"), [(15, 1, "Partially loaded"), (20, 2, "Partially loaded"), (15, 2, "Load failed")]
)
def test_a_file_is_skipped_if_more_than_a_share_of_its_lines_are_bad(warehouse, copy_readings, lines, bad, status):
    warehouse.put("a.json.gz", *[GOOD[0]] * (lines - bad), *["bad"] * bad)
    warehouse.rows(f"{copy_readings} ON_ERROR = 'SKIP_FILE_10%'")
    assert history(warehouse)["a.json.gz"][:2] == (status, 0 if status == "Load failed" else lines - bad)


def test_damaged_files_fail_alone(warehouse, copy_readings):
    whole = gzip.compress(b'{"truck": "T1"}\n' * 100)
    warehouse.put("cut.json.gz", raw=whole[: len(whole) // 2])
    warehouse.put("noise.json.gz", raw=b"\x1f\x8b" + bytes(range(200)))
    warehouse.put("latin.json.gz", raw=gzip.compress(b'{"truck": "T1"}\n{"truck": "\xe9"}\n'))
    warehouse.put("good.json.gz", *GOOD)
    warehouse.rows(f"{copy_readings} ON_ERROR = CONTINUE")
    found = history(warehouse)
    assert {name: row[0] for name, row in found.items()} == {
        "cut.json.gz": "Load failed",
        "noise.json.gz": "Load failed",
        "latin.json.gz": "Load failed",
        "good.json.gz": "Loaded",
    }
    assert "GZIP" in found["cut.json.gz"][4]
    assert "UTF8" in found["latin.json.gz"][4]
    assert found["latin.json.gz"][5] == 2


def test_a_file_that_failed_is_tried_again(warehouse, copy_readings):
    warehouse.put("a.json.gz", "bad")
    warehouse.rows(f"{copy_readings} ON_ERROR = SKIP_FILE")
    warehouse.put("a.json.gz", *GOOD)
    warehouse.rows(f"{copy_readings} ON_ERROR = SKIP_FILE")
    assert warehouse.value("SELECT COUNT(*) FROM READINGS") == 2


def test_a_changed_file_under_a_loaded_name_is_loaded_again(warehouse, copy_readings):
    for chosen in ("", "FILES = ('a.json.gz')"):
        warehouse.put("a.json.gz", *GOOD)
        assert len(warehouse.rows(f"{copy_readings} {chosen}")) == 1
        assert warehouse.rows(f"{copy_readings} {chosen}") == [("Copy executed with 0 files processed.",)]
        warehouse.put("a.json.gz", *GOOD, GOOD[0])
        assert warehouse.rows(f"{copy_readings} {chosen}")[0][3] == 3
    assert warehouse.value("SELECT COUNT(*) FROM READINGS") == 10


REJECTED = """
SELECT ERROR, FILE, LINE, CHARACTER, BYTE_OFFSET, CATEGORY, CODE, SQL_STATE, COLUMN_NAME, ROW_NUMBER, ROW_START_LINE,
       REJECTED_RECORD
FROM TABLE(VALIDATE(READINGS, JOB_ID => {})) ORDER BY FILE, LINE
"""


@pytest.mark.parametrize("on_error", ["CONTINUE", "SKIP_FILE"])
def test_validate_lists_every_rejected_line(warehouse, copy_readings, on_error):
    lines = ['{"truck": "Ü"}', '{"truck": "ü" "speed": 1}', '{"truck": "T3", "speed": "fast"}', '{"speed": 2}']
    warehouse.put("bad.json.gz", *lines)
    warehouse.put("cut.json.gz", raw=gzip.compress(b'{"truck": "T1"}\n' * 100)[:30])
    cursor = warehouse.connection.cursor().execute(f"{copy_readings} ON_ERROR = {on_error}")
    found = warehouse.rows(REJECTED.format("_last"))
    assert warehouse.rows(REJECTED.format(f"'{cursor.sfqid}'")) == found
    starts = [len("".join(f"{line}\n" for line in lines[:index]).encode()) for index in range(4)]
    assert found[:3] == [
        ("Error parsing JSON: Expecting ',' delimiter", "bad.json.gz", 2, 15, starts[1] + 15, "parsing", 100069,
         "22P02", None, 2, 2, lines[1]),
        ('Failed to cast variant value "fast" to REAL', "bad.json.gz", 3, 1, starts[2], "conversion", 100071,
         "22000", '"READINGS"["SPEED":2]', 3, 3, lines[2]),
        ("NULL result in a non-nullable column 'TRUCK'", "bad.json.gz", 4, 1, starts[3], "conversion", 100072,
         "22000", '"READINGS"["TRUCK":1]', 4, 4, lines[3]),
    ]  # fmt: skip
    assert "GZIP" in found[3][0]
    assert found[3][1:3] == ("cut.json.gz", None)
    warehouse.rows(copy_readings + " PATTERN = 'nothing'")
    assert warehouse.rows(REJECTED.format("'_last'")) == []


def test_a_column_is_named_with_its_place_in_the_copy(warehouse):
    warehouse.put("bad.json.gz", {"truck": "T1", "speed": "fast"})
    warehouse.rows(
        "COPY INTO READINGS (SPEED, TRUCK) FROM (SELECT $1:speed::FLOAT, $1:truck::STRING FROM @LANDING)"
        " ON_ERROR = CONTINUE"
    )
    assert history(warehouse)["bad.json.gz"][5:] == (1, '"READINGS"["SPEED":1]')


def test_a_thousand_rejected_lines_are_kept_per_file(warehouse, copy_readings):
    warehouse.put("bad.json.gz", *["x"] * 1500)
    warehouse.rows(f"{copy_readings} ON_ERROR = CONTINUE")
    assert history(warehouse)["bad.json.gz"][3] == 1500
    assert warehouse.value("SELECT COUNT(*) FROM TABLE(VALIDATE(READINGS, JOB_ID => _last))") == 1000


def test_validate_in_a_session_without_a_copy(warehouse):
    assert "no COPY was run" in warehouse.error("SELECT * FROM TABLE(VALIDATE(READINGS, JOB_ID => _last))").msg
    assert "JOB_ID" in warehouse.error("SELECT * FROM TABLE(VALIDATE(READINGS))").msg


def test_rolled_back_copy_leaves_neither_rows_nor_history(warehouse, copy_readings):
    warehouse.put("a.json.gz", *GOOD)
    warehouse.rows("BEGIN")
    warehouse.rows(copy_readings)
    assert warehouse.value("SELECT COUNT(*) FROM READINGS") == 2
    warehouse.rows("ROLLBACK")
    assert warehouse.value("SELECT COUNT(*) FROM READINGS") == 0
    assert history(warehouse) == {}
    assert len(warehouse.rows(copy_readings)) == 1


def test_replacing_the_table_forgets_what_it_loaded(warehouse, copy_readings):
    warehouse.put("a.json.gz", *GOOD)
    warehouse.rows(copy_readings)
    ddl = "CREATE OR REPLACE TABLE READINGS (TRUCK STRING, SPEED FLOAT, AT TIMESTAMP_NTZ, FILE STRING, LINE INTEGER)"
    warehouse.rows(ddl)
    warehouse.rows(copy_readings)
    assert warehouse.value("SELECT COUNT(*) FROM READINGS") == 2


def test_metadata_of_the_object(warehouse):
    key = warehouse.put("a.json.gz", *GOOD)
    found = warehouse.s3.head_object(Bucket="local-snowflake-tests", Key=key)
    warehouse.rows("CREATE TABLE SEEN (CONTENT STRING, MODIFIED TIMESTAMP_NTZ)")
    warehouse.rows("COPY INTO SEEN FROM (SELECT METADATA$FILE_CONTENT_KEY, METADATA$FILE_LAST_MODIFIED FROM @LANDING)")
    modified = found["LastModified"].replace(tzinfo=None)
    ((content, seen),) = warehouse.rows("SELECT DISTINCT CONTENT, MODIFIED FROM SEEN")
    assert (content, abs(seen - modified) < timedelta(seconds=1)) == (found["ETag"].strip('"'), True)


def test_expressions_over_the_document(warehouse):
    warehouse.put("a.json.gz", {"truck": "t1", "place": {"lat": 1.25, "tags": ["a"]}, "n": 7, "ok": True})
    warehouse.rows("CREATE TABLE SHAPES (A STRING, B FLOAT, C VARIANT, D INTEGER, E BOOLEAN, F TIMESTAMP_NTZ)")
    warehouse.rows(
        """COPY INTO SHAPES FROM (
               SELECT UPPER(s.$1:truck::STRING), s.$1:place.lat::FLOAT, s.$1:place, s.$1:n::INTEGER, s.$1:ok::BOOLEAN,
                      CONVERT_TIMEZONE('UTC', METADATA$START_SCAN_TIME)::TIMESTAMP_NTZ FROM @LANDING s)"""
    )
    (row,) = warehouse.rows(
        "SELECT A, B, C:tags[0]::STRING, D, E, ABS(DATEDIFF(SECOND, F, SYSDATE())) < 60 FROM SHAPES"
    )
    assert row == ("T1", 1.25, "a", 7, True, True)


@pytest.mark.parametrize(
    "statement",
    [
        "COPY INTO READINGS FROM @LANDING",
        "COPY INTO @LANDING FROM READINGS",
        "COPY INTO READINGS FROM (SELECT $1:a::STRING, 1, NULL, 'x', 1 FROM @LANDING) FILE_FORMAT = (TYPE = CSV)",
        "COPY INTO READINGS FROM (SELECT $1:a::STRING, 1, NULL, 'x', 1 FROM @LANDING) PURGE = TRUE",
        "COPY INTO READINGS FROM (SELECT $1:a::STRING, 1, NULL, 'x', 1 FROM @LANDING) VALIDATION_MODE = RETURN_ERRORS",
    ],
)
def test_unsupported_features_are_refused(warehouse, statement):
    assert "Unsupported feature of the local Snowflake" in warehouse.error(statement).msg


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("COPY INTO NOWHERE FROM (SELECT $1:a FROM @LANDING)", "NOWHERE"),
        ("COPY INTO READINGS FROM (SELECT $1:a FROM @NO_STAGE)", "NO_STAGE"),
        ("COPY INTO READINGS (TRUCK, SPEED) FROM (SELECT $1:a FROM @LANDING)", "expecting 2 but got 1"),
        ("COPY INTO READINGS (NO_SUCH) FROM (SELECT $1:a FROM @LANDING)", "invalid identifier 'NO_SUCH'"),
        ("COPY INTO READINGS (TRUCK) FROM (SELECT other FROM @LANDING)", "invalid identifier"),
    ],
)
def test_errors_name_the_cause(warehouse, statement, message):
    assert message in warehouse.error(statement).msg
