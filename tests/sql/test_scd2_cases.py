"""The SCD2 MERGE, situation by situation: one folder per case under cases/, with arrivals and the history they make.

In ``arrivals.csv`` a row is a line of a landing file, a BATCH is what one merge finds new; an empty field is NULL.
In ``history.csv`` OPENED_BY_BATCH stands for LOAD_TIMESTAMP.  Attributes that a file doesn't name are NULL.
"""

import csv
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path

import pytest

from sql.merge.history_oracle import ATTRIBUTES, HistoryVersion, from_raw, history

pytestmark = pytest.mark.sql

CASES = Path(__file__).parent / "cases"
FIRST_LOAD = datetime(2026, 11, 22, 12)  # noqa: DTZ001  A TIMESTAMP_NTZ: UTC by convention.


def load_timestamp(batch):
    return FIRST_LOAD + timedelta(minutes=int(batch))


def attributes(row):
    return {
        "VEHICLE_SPEED": float(row["VEHICLE_SPEED"]) if row["VEHICLE_SPEED"] else None,
        "BRAKE_STATUS": row["BRAKE_STATUS"] or None,
    }


def arrivals(case):
    with (CASES / case / "arrivals.csv").open() as file:
        return [
            {
                "BATCH": int(row["BATCH"]),
                "TRUCK_ID": f"{case}/{row['TRUCK_ID']}",
                "EVENT_TIME": datetime.fromisoformat(row["EVENT_TIME"]),
                "ARRIVAL_TIME": datetime.fromisoformat(row["ARRIVAL_TIME"]),
                "SEQUENCE_NUMBER": row["SEQUENCE_NUMBER"],
                "SUB_SEQUENCE_NUMBER": int(row["SUB_SEQUENCE_NUMBER"]) if row.get("SUB_SEQUENCE_NUMBER") else None,
                "FILE_NAME": f"telemetry-data/{case}/{row['BATCH']}.json.gz",
                "FILE_ROW_NUMBER": number,
                "LOAD_TIMESTAMP": load_timestamp(row["BATCH"]),
                "NULLED_METRICS": row.get("NULLED_METRICS") or None,
                **attributes(row),
            }
            for number, row in enumerate(csv.DictReader(file), start=1)
        ]


def expected(case):
    with (CASES / case / "history.csv").open() as file:
        return [
            HistoryVersion(
                f"{case}/{row['TRUCK_ID']}",
                datetime.fromisoformat(row["EFFECTIVE_START_DATE"]),
                datetime.fromisoformat(row["EFFECTIVE_END_DATE"]) if row["EFFECTIVE_END_DATE"] else None,
                row["IS_CURRENT"] == "true",
                tuple(attributes(row).get(name) for name in ATTRIBUTES),
                load_timestamp(row["OPENED_BY_BATCH"]),
            )
            for row in csv.DictReader(file)
        ]


def cases():
    return sorted(folder.name for folder in CASES.iterdir())


@pytest.mark.parametrize("case", cases())
def test_history_of_the_case(snowflake, case):
    for _, batch in groupby(arrivals(case), key=lambda row: row["BATCH"]):
        snowflake.land(list(batch))
        snowflake.merge()
    assert snowflake.history(f"{case}/%") == expected(case)


@pytest.mark.parametrize("case", cases())
def test_the_oracle_agrees_with_the_case(case):
    assert history(map(from_raw, arrivals(case))) == expected(case)
