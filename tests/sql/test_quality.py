"""Each quality rule passes for a healthy fleet, and names the key of the fault that it exists for."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from include import names, quality, sql
from include.alerts import Links
from include.contracts import METRICS, ContractError, Envelope, TelemetryReading
from include.contracts.telemetry import MAX_TRUCK_ID_LENGTH
from include.contracts.text import BLANKS, CONTROLS, require_id
from include.contracts.times import to_canonical
from include.quality.look_alikes import looks_like, spelled_out
from lambdas.truck_data.logic import AcceptedReading, state_item
from sql.merge.history_oracle import ATTRIBUTES
from tests.fixtures import contract_corpus

pytestmark = pytest.mark.sql

# Those over consecutive readings have their tests in test_plausibility.py.
RULES = {rule.name: rule for rule in quality.rules() if not rule.relation}
# Some rules depend on a reading's age.  NOW is half an hour ahead, so that readings stay fresh while tests run.
NOW = (datetime.now(UTC) + timedelta(minutes=30)).replace(tzinfo=None, microsecond=0)
EARLIER = NOW - timedelta(minutes=5)
# Loaded, or stored, 20 minutes ago: everything that was on its way then has arrived.
SETTLED = NOW - timedelta(minutes=50)
THIS_HOUR = (NOW - timedelta(minutes=30)).replace(minute=0, second=0)
TRUCKS = ("TRK001", "TRK002", "TRK003")
STREAMS = (names.CLICK_STREAM, names.TRUCK_STREAM)
ITEMS = ("CAM003", "LAP002", "MOB001")
HISTORY = names.HISTORY_TABLE
HEALTHY = dict.fromkeys(ATTRIBUTES, 42.0) | {
    "ENVIRONMENT_PRESSURE": 1013.0,
    "BRAKE_STATUS": "Good",
    "TRANSMISSION_STATUS": "Operational",
}


def reading(truck="TRK001", event_time=NOW, number=1, **changes):
    return {
        **HEALTHY,
        "TRUCK_ID": truck,
        "EVENT_TIME": event_time,
        "ARRIVAL_TIME": event_time,
        "SEQUENCE_NUMBER": str(10**20 + number),
        "FILE_NAME": f"telemetry-data/{number}.json.gz",
        "FILE_ROW_NUMBER": 1,
        "LOAD_TIMESTAMP": SETTLED,
    } | changes


def healthy_fleet():
    """Two versions of each known truck."""
    first = [reading(truck, EARLIER, number, GPS_SPEED=30.0) for number, truck in enumerate(TRUCKS)]
    return first + [reading(truck, NOW, number) for number, truck in enumerate(TRUCKS, start=10)]


def in_a_key(moment):
    return moment.isoformat(" ", "microseconds")


def text(moment):
    return to_canonical(moment.replace(tzinfo=UTC))


def state(truck="TRK001", number=10, **changes):
    """The truck's state as TruckDataProcessor writes it after its newest reading."""
    arrival, sequence_number = text(NOW), str(10**20 + number)
    return {
        **HEALTHY,
        "TRUCK_ID": truck,
        "EVENT_TIME": text(NOW),
        "RECENCY": f"{text(NOW)}#{arrival}#{len(sequence_number):03}{sequence_number}",
        "INGESTED_AT": text(SETTLED),
        "STREAM_NAME": names.TRUCK_STREAM,
        "SHARD_ID": "shardId-000000000000",
        "SEQUENCE_NUMBER": sequence_number,
        "SUB_SEQUENCE_NUMBER": None,
        "ARRIVAL_TIME": arrival,
        **seen(truck),
    } | changes


def known_item(item):
    """An item as KinesisToDynamoDBProcessor writes it into the catalogue."""
    return {"ITEM_ID": item, "ITEM_NAME": f"Name of {item}", **seen(item)}


def seen(id_):
    return {"SPELLED_OUT": spelled_out(id_), "LOOKS_LIKE": looks_like(id_)}


def click(item="MOB001", at=NOW, **changes):
    """A click as KinesisToDynamoDBProcessor writes it."""
    return {
        "STORED_TIMESTAMP": f"{text(at)}#{changes['EVENT_ID']}" if changes.get("EVENT_ID") else text(at),
        "CLICK_TIME": text(at),
        "EVENT_ID": None,
        "ITEM_ID": item,
        "ITEM_NAME": f"Name of {item}",
        "CLICK_COUNTS": 3,
        "ITEM_HOUR_SHARD": f"{item}#{text(at)[:13]}#0",
        "INGESTED_AT": text(at),
        "STREAM_NAME": names.CLICK_STREAM,
        "SHARD_ID": "shardId-000000000000",
        "SEQUENCE_NUMBER": str(10**20),
        "SUB_SEQUENCE_NUMBER": None,
        "ARRIVAL_TIME": text(at),
    } | changes


def stage(snowflake, source, rows):
    """Make ``rows`` the staged items of ``source``."""
    snowflake.run(f"quality/staging/{source}.sql")
    if rows:
        columns = quality.SOURCES[source].columns
        snowflake.insert(quality.SOURCES[source].table, columns, ([row[name] for name in columns] for row in rows))


def stage_healthy(snowflake):
    stage(snowflake, "truck_states", [state(truck, number) for number, truck in enumerate(TRUCKS, start=10)])
    stage(snowflake, "recent_clicks", [click(item, NOW - timedelta(seconds=s)) for item in ITEMS for s in range(7)])
    stage(snowflake, "click_items", [known_item(item) for item in ITEMS])


def count_hours(snowflake, usual, last, days=14):
    """Fill the ledger: ``usual`` records at this hour of the last ``days``, and ``last`` in the hour just closed."""
    counts = ("LANDED", "DUPLICATES", "QUARANTINED", "RESOLVED", "MISSING", "NOT_LOADED", "UNEXPECTED")
    counts += ("CONFLICTS", "COVERED", "WAITING", "OVERDUE", "UNCOVERED")
    columns = ("STREAM_NAME", "ARRIVAL_HOUR", "ARCHIVED", "IS_OPEN", "BALANCED", "CHECKED_AT", "RUN_ID", *counts)
    closed = THIS_HOUR - timedelta(hours=1)
    hours = [(closed - timedelta(days=day), last if day == 0 else usual, False) for day in range(days + 1)]
    # Neither the hour before nor an open hour counts.
    hours += [(closed - timedelta(hours=1), 1, False), (THIS_HOUR, 1, True)]
    snowflake.execute(f"delete from {names.LEDGER_TABLE}")
    snowflake.insert(
        names.LEDGER_TABLE,
        columns,
        (
            [stream, hour, archived, is_open, True, hour, "r", *[0] * len(counts)]
            for stream in STREAMS
            for hour, archived, is_open in hours
        ),
    )


def offending(snowflake, rule, since=quality.WHOLE):
    values = {"since": since} if rule.is_bounded else None
    return [key for (key,) in snowflake.execute(f"select SAMPLE_KEY from (\n{rule.statement}\n) as OFFENDING", values)]


def states(*rows):
    return lambda snowflake: stage(snowflake, "truck_states", rows)


def ids(trucks=TRUCKS, items=ITEMS):
    def stage_ids(snowflake):
        stage(snowflake, "truck_states", [state(truck) for truck in trucks])
        stage(snowflake, "click_items", [known_item(item) for item in items])

    return stage_ids


def clicks(*rows):
    return lambda snowflake: stage(snowflake, "recent_clicks", rows)


def history_where(change):
    return lambda snowflake: snowflake.execute(f"update {HISTORY} set {change}")


def arrives(*readings):
    def land_and_merge(snowflake):
        snowflake.land(readings)
        snowflake.merge()

    return land_and_merge


def waits(snowflake):
    snowflake.land([reading("TRK002", number=99, LOAD_TIMESTAMP=NOW - timedelta(minutes=46))])


def doubles_the_history_of_a_truck(snowflake):
    snowflake.execute(f"insert into {HISTORY} select * from {HISTORY} where TRUCK_ID = 'TRK001' and not IS_CURRENT")


def retires(truck, at, *later):
    def retire_and_report(snowflake):
        snowflake.execute(f"update {names.KNOWN_TRUCKS_TABLE} set RETIRED_AT = %s where TRUCK_ID = %s", [at, truck])
        arrives(*later)(snowflake)

    return retire_and_report


def assign(snowflake, reported_id, truck, since="0001-01-01", until="9999-12-31"):
    columns = ("REPORTED_ID", "FROM_TIME", "UNTIL_TIME", "TRUCK_ID", "DECIDED_AT", "DECIDED_BY", "REASON")
    snowflake.insert(names.ASSIGNMENTS_TABLE, columns, [(reported_id, since, until, truck, NOW, "tests", "-")])


def lacks_a_load_time_and_ids(snowflake):
    odd = (" ", " TRK7", "TRK8\u3000", "TRK\t9", "\u5361 8 \u00e9")
    arrives(*(reading(truck, number=number) for number, truck in enumerate(odd, start=50)))(snowflake)
    snowflake.execute(f"update {HISTORY} set LOAD_TIMESTAMP = null where TRUCK_ID = 'TRK001' and IS_CURRENT")


def assigns_twice(snowflake):
    snowflake.execute(f"delete from {names.ASSIGNMENTS_TABLE}")
    assign(snowflake, "A", "TRK001", since=EARLIER, until=NOW + timedelta(seconds=1))
    assign(snowflake, "A", "TRK002", since=NOW)
    assign(snowflake, "B", "TRK001", since=NOW, until=NOW)
    # Periods that meet, and those of different ids, don't overlap.
    assign(snowflake, "C", "TRK001", since=EARLIER, until=NOW)
    assign(snowflake, "C", "TRK002", since=NOW)


def falls_silent(snowflake):
    snowflake.execute(f"delete from {names.RAW_TABLE} where TRUCK_ID = 'TRK003'")


def loses_the_latest_version(snowflake):
    snowflake.execute(f"delete from {HISTORY} where TRUCK_ID = 'TRK001' and IS_CURRENT")


# Ids that nobody has set, and ids that are odd and somebody's.
PLACEHOLDERS = (
    "NO_IMEI", "imei", "unknown", "Unknown Truck", "null", "(null)", "N/A", "#N/A", "not set", "undefined", "None",
    "TEST",
    "[object Object]", "${TRUCK_ID}", "{{truck_id}}", "<device-id>", "%VIN%", "item-id", "string", "--", "?", "-1", "0",
    "000000000000000", "00000000-0000-0000-0000-000000000000", "xxx", "FF:FF:FF:FF:FF:FF", "123456789012345", "012345",
    "987654321",
)  # fmt: skip
ODD_IDS = (
    "TRK000", "1", "12", "111", "12345", "NONESUCH", "NA1", "TRUCK 7", "TEST001", "AA", "X", "O0", "-12",
    "356938035643809",
    "\u5361\u8f66", "\u5361\u8f66000", "NOVA", "MYRA", "IDA",
)  # fmt: skip

# For each rule: a fault, and the keys that the rule must name.
FAULTS = {
    "one_current_version_per_truck": (
        history_where("IS_CURRENT = false where TRUCK_ID = 'TRK001'"),
        ["TRK001"],
    ),
    "versions_meet": (
        history_where(
            "EFFECTIVE_END_DATE = dateadd('second', 1, EFFECTIVE_END_DATE) where TRUCK_ID = 'TRK002' and not IS_CURRENT"
        ),
        [f"TRK002 {in_a_key(EARLIER)}"],
    ),
    "versions_start_before_they_end": (
        history_where("EFFECTIVE_END_DATE = EFFECTIVE_START_DATE where TRUCK_ID = 'TRK001' and not IS_CURRENT"),
        [f"TRK001 {in_a_key(EARLIER)}"],
    ),
    "version_key_is_unique": (doubles_the_history_of_a_truck, [f"TRK001 {in_a_key(EARLIER)}"]),
    "versions_change_something": (
        history_where("GPS_SPEED = 42.0 where TRUCK_ID = 'TRK003'"),
        [f"TRK003 {in_a_key(NOW)}"],
    ),
    "versions_are_complete": (
        lacks_a_load_time_and_ids,
        [
            f"TRK001 {in_a_key(NOW)}",
            f"  {in_a_key(NOW)}",
            f" TRK7 {in_a_key(NOW)}",
            f"TRK8\u3000 {in_a_key(NOW)}",
            f"TRK\t9 {in_a_key(NOW)}",
        ],
    ),
    "ids_look_alike": (
        ids(
            trucks=[
                "TRK001",
                "trk001",
                "TRK002",
                "TRK 002",
                "\uff34RK003",
                "TRK003",
                "Caf\u00e9",
                "Cafe\u0301",
                "\u0422RK004",
                "TRK004",
                "A-1",
                "A\u20111",
                "B\u200b1",
                "B1",
                "C1",
                "C2",
                "\u212a7",
                "k7",
                "K7",
            ],
            items=["TRK001", "X1", "x1", "caf\u00e9", "cafe"],
        ),
        [
            'truck "TRK001" "trk001"',
            'truck "TRK 002" "TRK002"',
            r'truck "TRK003" "\uff34RK003"',
            r'truck "Caf\xe9" "Cafe\u0301"',
            r'truck "TRK004" "\u0422RK004"',
            r'truck "A-1" "A\u20111"',
            r'truck "B1" "B\u200b1"',
            r'truck "K7" "\u212a7" "k7"',
            'item "X1" "x1"',
        ],
    ),
    "ids_are_no_placeholders": (
        ids(trucks=[*PLACEHOLDERS, *ODD_IDS], items=[*PLACEHOLDERS, *ODD_IDS, *ITEMS]),
        [f"{kind} {id_}" for kind in ("truck", "item") for id_ in PLACEHOLDERS],
    ),
    "metrics_are_in_range": (
        history_where(
            "FUEL_LEVEL = 100.5, GPS_LATITUDE = -90.1, BRAKE_STATUS = '', TRANSMISSION_STATUS = 'a\\nb'"
            " where TRUCK_ID = 'TRK002' and IS_CURRENT"
        ),
        [f"TRK002 {in_a_key(NOW)} GPS_LATITUDE FUEL_LEVEL BRAKE_STATUS TRANSMISSION_STATUS"],
    ),
    "metrics_are_reported": (
        arrives(reading("TRK001", NOW + timedelta(seconds=1), 20, OIL_PRESSURE=None)),
        ["TRK001"],
    ),
    "trucks_report": (falls_silent, ["TRK003"]),
    "trucks_are_known": (arrives(reading("TRK999", number=20)), ["TRK999"]),
    "assignments_do_not_overlap": (assigns_twice, [f"A {in_a_key(EARLIER)}", f"B {in_a_key(NOW)}"]),
    "retired_trucks_are_silent": (
        retires("TRK002", EARLIER, reading("TRK002", NOW + timedelta(seconds=1), 20)),
        [f"TRK002 {in_a_key(NOW)}"],
    ),
    "statuses_are_usual": (
        arrives(reading("TRK002", NOW + timedelta(seconds=1), 20, BRAKE_STATUS="On fire")),
        ["TRK002 On fire / Operational"],
    ),
    "envelopes_say_one_thing": (
        arrives(
            reading("TRK001", number=10, GPS_SPEED=41.0),
            # Another record of that aggregate is another envelope.
            reading("TRK002", number=10, SUB_SEQUENCE_NUMBER=1),
            reading("TRK002", number=10, SUB_SEQUENCE_NUMBER=2),
            reading("TRK003", number=10, SUB_SEQUENCE_NUMBER=2),
        ),
        [
            f"TruckTelemetry shardId-000000000000 {10**20 + 10}",
            f"TruckTelemetry shardId-000000000000 {10**20 + 10}.2",
        ],
    ),
    "readings_are_merged_in_time": (waits, ["TRK002"]),
    "latest_reading_is_in_history": (loses_the_latest_version, [f"TRK001 {in_a_key(NOW)}"]),
    "readings_are_not_from_the_future": (
        arrives(
            reading("TRK001", NOW + timedelta(minutes=10), 20, ARRIVAL_TIME=NOW),
            reading("TRK002", NOW + timedelta(minutes=10, seconds=1), 21, ARRIVAL_TIME=NOW),
            # Within a millisecond: another key.
            reading("TRK002", NOW + timedelta(minutes=10, seconds=1, microseconds=1), 22, ARRIVAL_TIME=NOW),
        ),
        [f"TRK002 {in_a_key(NOW + timedelta(minutes=10, seconds=1, microseconds=more))}" for more in (0, 1)],
    ),
    "streams_carry_as_usual": (
        lambda snowflake: count_hours(snowflake, usual=101, last=50),
        [
            f"{stream} {THIS_HOUR - timedelta(hours=1)} 50, usually 101"
            for stream in ("ClickDataStream", "TruckTelemetry")
        ],
    ),
    "states_match_history": (
        states(
            state("TRK001", EVENT_TIME=text(EARLIER)),
            state("TRK002", FUEL_LEVEL=41.0),
            # Written just now, so its reading may be on its way.
            state("TRK004", INGESTED_AT=text(NOW)),
            state("TRK005", BRAKE_STATUS=None),
        ),
        [
            "TRK001 state is behind",
            "TRK002 differs from its history",
            "TRK003 has no state",
            "TRK005 has no history",
        ],
    ),
    "states_are_valid": (
        states(
            state("TRK001", FUEL_LEVEL=100.5, ENGINE_RPM=None, BRAKE_STATUS="x" * 65),
            state("TRK002", ARRIVAL_TIME=text(EARLIER - timedelta(minutes=6)), SHARD_ID=None),
            state("TRK003", EVENT_TIME="2026-11-22 14:00:00", SEQUENCE_NUMBER="1e9", STREAM_NAME=names.CLICK_STREAM),
            state("T" * 65),
            state("TRK004", SUB_SEQUENCE_NUMBER="12", RECENCY=state()["RECENCY"] + "#0000012"),
            state("TRK005", SUB_SEQUENCE_NUMBER="12"),
            state("TRK006", SUB_SEQUENCE_NUMBER="0", RECENCY=state()["RECENCY"] + "#0000000"),
            state("Wagen ü 7"),
            state("\u5361\u8f66-1", BRAKE_STATUS="Gut \U0001f44d", TRANSMISSION_STATUS="läuft"),
            state(" ", BRAKE_STATUS="a\0b", TRANSMISSION_STATUS="a\x85"),
            state("TRK\x00"),
            state("\u00a0TRK1"),
            state("TRK2\u200b"),
        ),
        [
            "TRK001 fuel_level brake_status",
            "TRK002 Shard_ID Recency from the future",
            "TRK003 Event_Time Stream Sequence_Number Recency",
            "T" * 65 + " Truck_ID",
            "TRK005 Recency",
            "TRK006 Sub_Sequence_Number",
            "  Truck_ID brake_status transmission_status",
            "TRK\x00 Truck_ID",
            "\u00a0TRK1 Truck_ID",
            "TRK2\u200b Truck_ID",
        ],
    ),
    "clicks_are_valid": (
        clicks(
            click("A", CLICK_COUNTS=0, ARRIVAL_TIME=text(NOW - timedelta(minutes=10))),
            click("B", CLICK_COUNTS=2**53, ITEM_NAME="x" * 512),
            click("C", CLICK_COUNTS=-1, ITEM_NAME=""),
            click("D", CLICK_COUNTS=1.5, ITEM_NAME="x" * 513),
            click("E", CLICK_COUNTS=2**53 + 2),
            click("F", CLICK_COUNTS=None, ITEM_NAME=None, CLICK_TIME="yesterday", STORED_TIMESTAMP="yesterday"),
            click("G", ARRIVAL_TIME=text(NOW - timedelta(minutes=10, seconds=1))),
            click("x" * 257),
            click("Größe 2", ITEM_NAME="\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f "),
            click("\ufeffH"),
            click("I", ITEM_NAME="two\nlines"),
            click("J\u2028K", ITEM_NAME="K"),
            click("L", EVENT_ID="é" * 128),
            click("M", EVENT_ID=" 1"),
            click("N", EVENT_ID="1", STORED_TIMESTAMP=text(NOW)),
            click("O", STORED_TIMESTAMP=f"{text(NOW)}#1"),
        ),
        [
            f"{text(NOW)} C Item_Name Click_Counts",
            f"{text(NOW)} D Item_Name Click_Counts",
            f"{text(NOW)} E Click_Counts",
            "yesterday F Timestamp Item_Name Click_Counts",
            f"{text(NOW)} G from the future",
            f"{text(NOW)} {'x' * 257} Item_ID",
            f"{text(NOW)} \ufeffH Item_ID",
            f"{text(NOW)} I Item_Name",
            f"{text(NOW)} J\u2028K Item_ID",
            f"{text(NOW)}# 1 M Event_ID",
            f"{text(NOW)} N Timestamp",
            f"{text(NOW)}#1 O Timestamp",
        ],
    ),
    "clicks_carry_their_envelope": (
        clicks(
            click("A"),
            click("B", STREAM_NAME=None, SHARD_ID=None, SEQUENCE_NUMBER=None, ARRIVAL_TIME=None, INGESTED_AT=None),
            click("C", STREAM_NAME=names.TRUCK_STREAM, SEQUENCE_NUMBER="seven", ARRIVAL_TIME="2026-11-22T14:00:00Z"),
            click("D", SUB_SEQUENCE_NUMBER="12"),
            click("E", SUB_SEQUENCE_NUMBER="1.5"),
        ),
        [
            f"{text(NOW)} B Stream Shard_ID Sequence_Number Arrival_Time Ingested_At",
            f"{text(NOW)} C Stream Sequence_Number Arrival_Time",
            f"{text(NOW)} E Sub_Sequence_Number",
        ],
    ),
    "clicks_are_where_they_are_looked_for": (
        clicks(
            click("A#1"),
            click("B", ITEM_HOUR_SHARD=f"A#{text(NOW)[:13]}#0"),
            click("C", ITEM_HOUR_SHARD=f"C#{text(EARLIER - timedelta(hours=1))[:13]}#0"),
            click("D", ITEM_HOUR_SHARD=f"D#{text(NOW)[:13]}#"),
            click("E", ITEM_HOUR_SHARD=None),
        ),
        [
            f"{text(NOW)} B in A#{text(NOW)[:13]}#0",
            f"{text(NOW)} C in C#{text(EARLIER - timedelta(hours=1))[:13]}#0",
            f"{text(NOW)} D in D#{text(NOW)[:13]}#",
            f"{text(NOW)} E in ",
        ],
    ),
    "clicks_are_of_known_items": (
        clicks(click("MOB001"), click("NEW004"), click("LAP002", ITEM_NAME="Laptop 2")),
        ["NEW004 Name of NEW004", "LAP002 Laptop 2"],
    ),
    "clicks_come_from_people": (
        clicks(
            *(click("ROBOT1", NOW - timedelta(milliseconds=100 * n + n % 3)) for n in range(50)),
            *(click("ROBOT2", NOW - timedelta(milliseconds=1000 * n + 250)) for n in range(21)),
            # A person clicks what a robot clicks.
            *(click("ROBOT3", NOW - timedelta(milliseconds=250 * n)) for n in range(30)),
            *(click("ROBOT3", NOW - timedelta(milliseconds=1300 * n + 77)) for n in range(3)),
            # Too few, too slow, in whole seconds, and people.
            *(click("FEW", NOW - timedelta(milliseconds=100 * n)) for n in range(20)),
            *(click("SLOW", NOW - timedelta(milliseconds=6000 * n + 1)) for n in range(50)),
            *(click("SECONDS", NOW - timedelta(seconds=n)) for n in range(50)),
            *(click("PEOPLE", NOW - timedelta(milliseconds=n * n * 37 % 5003)) for n in range(50)),
            # So many people that each millisecond has several.
            *(click("MANY", NOW - timedelta(milliseconds=n // 3), EVENT_ID=str(n)) for n in range(100)),
        ),
        [
            f"ROBOT1 every 101 ms until {text(NOW)}",
            f"ROBOT2 every 1000 ms until {text(NOW - timedelta(milliseconds=250))}",
            f"ROBOT3 every 250 ms until {text(NOW)}",
        ],
    ),
    "clocks_tell_clicks_apart": (
        clicks(
            # A full clock, the newest clicks of a busier time, and three clicks per minute.
            *(click("FULL", NOW - timedelta(milliseconds=n + 1)) for n in range(20)),
            *(click("BUSY", NOW - timedelta(milliseconds=10 * n + 5)) for n in range(50)),
            *(click("BUSY", NOW - timedelta(minutes=50, milliseconds=10 * n + 5)) for n in range(50)),
            *(click("SECONDS", NOW - timedelta(seconds=20 * n)) for n in range(20)),
            # A fast clock, a quiet item, few clicks, and event ids.
            *(click("MICROSECONDS", NOW - timedelta(microseconds=1001 * n)) for n in range(50)),
            *(click("QUIET", NOW - timedelta(milliseconds=601 * n + 5)) for n in range(50)),
            *(click("FEW", NOW - timedelta(milliseconds=n)) for n in range(19)),
            *(click("NAMED", NOW - timedelta(milliseconds=n), EVENT_ID=str(n)) for n in range(50)),
        ),
        [
            "FULL: at least 500 of 1,000 clicks are not the first in their millisecond",
            "BUSY: at least 50 of 1,000 clicks are not the first in their millisecond",
            "SECONDS: at least 25 of 1,000 clicks are not the first in their second",
        ],
    ),
    "clicks_keep_coming": (
        clicks(
            *(click("MOB001", NOW - timedelta(minutes=62, seconds=second)) for second in range(20)),
            *(click("LAP002", NOW - timedelta(minutes=62, seconds=second)) for second in range(19)),
            *(click("CAM003", NOW - timedelta(minutes=45 + second)) for second in range(20)),
        ),
        [f"MOB001 since {text(NOW - timedelta(minutes=62))}"],
    ),
}


@pytest.fixture(scope="module")
def staged(snowflake):
    """Everything that rules read beside RAW and the history, healthy before the first test changes it."""
    stage_healthy(snowflake)
    count_hours(snowflake, usual=100, last=51)
    yield snowflake
    snowflake.execute(f"delete from {names.LEDGER_TABLE}")


@pytest.fixture
def healthy_snowflake(empty_snowflake, staged):
    """RAW and history of a healthy fleet."""
    empty_snowflake.land(healthy_fleet())
    empty_snowflake.merge()
    return empty_snowflake


def test_every_rule_holds_for_a_healthy_fleet(healthy_snowflake):
    stage_healthy(healthy_snowflake)
    count_hours(healthy_snowflake, usual=100, last=51)
    assert {name: offending(healthy_snowflake, rule) for name, rule in RULES.items()} == {name: [] for name in RULES}


def test_every_rule_has_a_fault_that_it_finds():
    assert FAULTS.keys() == RULES.keys()


@pytest.mark.parametrize("name", FAULTS)
def test_rule_names_the_key_of_its_fault(request, name):
    rule = RULES[name]
    goes_wrong, keys = FAULTS[name]
    snowflake = request.getfixturevalue("healthy_snowflake" if "TRUCK_TELEMETRY_" in rule.statement else "staged")
    goes_wrong(snowflake)

    def found(since=quality.WHOLE):
        # A timestamp as text ends with a fraction of a second, with a varying number of digits.
        return sorted(re.sub(r"(?<=:\d\d)\.000(0{6})?(?= |$)", "", key) for key in offending(snowflake, rule, since))

    assert found() == sorted(keys)
    if rule.is_bounded:
        assert found(since=text(EARLIER)) == sorted(keys)
        assert found(since=text(NOW + timedelta(days=1))) == []


def test_a_retired_truck_is_not_called_silent_nor_its_last_version_odd(healthy_snowflake):
    arrives(reading("TRK003", NOW + timedelta(seconds=1), 20, BRAKE_STATUS="On fire", OIL_PRESSURE=None))(
        healthy_snowflake
    )
    healthy_snowflake.execute(f"delete from {names.RAW_TABLE} where TRUCK_ID = 'TRK003'")
    rules = ("trucks_report", "statuses_are_usual", "metrics_are_reported")
    assert [len(offending(healthy_snowflake, RULES[name])) for name in rules] == [1, 1, 1]
    in_an_hour, just_now = datetime.now(UTC) + timedelta(hours=1), datetime.now(UTC) - timedelta(seconds=5)
    retires("TRK003", text(in_an_hour))(healthy_snowflake)
    assert [len(offending(healthy_snowflake, RULES[name])) for name in rules] == [1, 1, 1]
    retires("TRK003", text(just_now))(healthy_snowflake)
    assert [offending(healthy_snowflake, RULES[name]) for name in rules] == [[], [], []]
    assert [version.is_current for version in healthy_snowflake.history("TRK003")] == [False, False, True]


def test_a_truck_may_report_until_it_retires_and_late_readings_of_that_time_may_come_later(healthy_snowflake):
    rule = RULES["retired_trucks_are_silent"]
    retires("TRK002", NOW, reading("TRK002", NOW - timedelta(seconds=1), 20))(healthy_snowflake)
    assert offending(healthy_snowflake, rule) == []
    arrives(reading("TRK002", NOW + timedelta(microseconds=1), 21))(healthy_snowflake)
    assert len(offending(healthy_snowflake, rule)) == 1


def test_a_row_added_by_hand_registers_a_retired_truck_again(healthy_snowflake):
    retires("TRK002", EARLIER)(healthy_snowflake)
    assert len(offending(healthy_snowflake, RULES["retired_trucks_are_silent"])) == 1
    healthy_snowflake.insert(names.KNOWN_TRUCKS_TABLE, ("TRUCK_ID", "REGISTERED_AT"), [("TRK002", NOW)])
    try:
        assert offending(healthy_snowflake, RULES["retired_trucks_are_silent"]) == []
    finally:
        healthy_snowflake.execute(
            f"delete from {names.KNOWN_TRUCKS_TABLE} where TRUCK_ID = 'TRK002' and RETIRED_AT is null"
        )


def test_a_replaced_tracker_reports_for_its_truck(healthy_snowflake):
    falls_silent(healthy_snowflake)
    arrives(reading("NEW", NOW, 20))(healthy_snowflake)
    assert offending(healthy_snowflake, RULES["trucks_report"]) == ["TRK003"]
    assert offending(healthy_snowflake, RULES["trucks_are_known"]) == ["NEW"]
    assign(healthy_snowflake, "NEW", "TRK003", since=EARLIER)
    assert offending(healthy_snowflake, RULES["trucks_report"]) == []
    assert offending(healthy_snowflake, RULES["trucks_are_known"]) == []


def test_a_tracker_that_moved_to_another_truck_does_not_report_for_the_retired_one(healthy_snowflake):
    retires("TRK002", EARLIER)(healthy_snowflake)
    assert len(offending(healthy_snowflake, RULES["retired_trucks_are_silent"])) == 1
    assign(healthy_snowflake, "TRK002", "TRK777", since=EARLIER + timedelta(seconds=1))
    assert offending(healthy_snowflake, RULES["retired_trucks_are_silent"]) == []
    assert offending(healthy_snowflake, RULES["trucks_are_known"]) == ["TRK777"]


def test_there_is_no_usual_in_the_first_week(staged):
    count_hours(staged, usual=100, last=1, days=6)
    assert offending(staged, RULES["streams_carry_as_usual"]) == []
    count_hours(staged, usual=100, last=1, days=7)
    assert len(offending(staged, RULES["streams_carry_as_usual"])) == 2
    count_hours(staged, usual=100, last=201)
    assert len(offending(staged, RULES["streams_carry_as_usual"])) == 2


def test_a_state_may_be_ahead_of_what_waits_for_the_merge_and_of_what_was_just_loaded(healthy_snowflake):
    rule = RULES["states_match_history"]
    later = NOW + timedelta(seconds=5)
    healthy_snowflake.land([reading("TRK001", later, 30, GPS_SPEED=12.0)])
    others = [state(truck) for truck in ("TRK002", "TRK003")]
    ahead = state("TRK001", EVENT_TIME=text(later), GPS_SPEED=12.0)
    stage(healthy_snowflake, "truck_states", [ahead, *others])
    assert offending(healthy_snowflake, rule) == []
    healthy_snowflake.merge()
    assert offending(healthy_snowflake, rule) == []
    # DynamoDB was read just before the reading came, which was loaded and merged immediately.
    healthy_snowflake.land([reading("TRK001", later + timedelta(seconds=1), 31, GPS_SPEED=13.0, LOAD_TIMESTAMP=NOW)])
    healthy_snowflake.merge()
    assert offending(healthy_snowflake, rule) == []


def test_a_state_as_the_function_writes_it_is_the_reading_that_landed(healthy_snowflake):
    at = NOW + timedelta(seconds=5)
    # DynamoDB keeps 1e-300 as 0.
    awkward = [0.1 + 0.2, 1 / 3, 1e-7, 1e-300, 42.12345678901234, 4_999_999.999999999, 0.0, None]
    values = {metric.name: awkward[n % len(awkward)] for n, metric in enumerate(METRICS) if metric.kind == "number"}
    values |= {"brake_status": "Good", "transmission_status": None}
    healthy_snowflake.land([reading("TRK001", at, 30, **{name.upper(): value for name, value in values.items()})])
    healthy_snowflake.merge()
    envelope = Envelope(names.TRUCK_STREAM, "shardId-000000000000", str(10**20 + 30), text(at), "TRK001")
    item = state_item(
        AcceptedReading(TelemetryReading("TRK001", text(at), **values), envelope), ingested_at=text(SETTLED)
    )
    source = quality.SOURCES["truck_states"]
    written = dict(zip(source.columns, source.row(item), strict=True))
    stage(healthy_snowflake, "truck_states", [written, state("TRK002"), state("TRK003")])
    assert offending(healthy_snowflake, RULES["states_match_history"]) == []
    # 0.1 + 0.2 landed.  Another reader of numbers may make its neighbour of it; a trillionth more is another value.
    neighbour = written | {"GPS_LATITUDE": "0.30000000000000010"}
    stage(healthy_snowflake, "truck_states", [neighbour, state("TRK002"), state("TRK003")])
    assert offending(healthy_snowflake, RULES["states_match_history"]) == []
    for latitude in ("0.300000000001", None):
        stage(
            healthy_snowflake, "truck_states", [written | {"GPS_LATITUDE": latitude}, state("TRK002"), state("TRK003")]
        )
        assert offending(healthy_snowflake, RULES["states_match_history"]) == ["TRK001 differs from its history"]


def test_readings_that_wait_for_the_next_merge_are_not_missing(healthy_snowflake):
    healthy_snowflake.land([reading("TRK001", NOW + timedelta(seconds=5), 30, GPS_SPEED=12.0, LOAD_TIMESTAMP=NOW)])
    assert offending(healthy_snowflake, RULES["latest_reading_is_in_history"]) == []
    assert offending(healthy_snowflake, RULES["readings_are_merged_in_time"]) == []


def test_rules_and_contract_have_one_definition_of_an_id(staged):
    """Every character of the contract's definition, at each place of an id; and the corpus of the contract."""
    odd = [f"{before}{each}{after}" for each in CONTROLS + BLANKS for before, after in ("ab", ("", "b"), ("a", ""))]
    ids_ = [*odd, *contract_corpus.GOOD_IDS, *contract_corpus.BAD_IDS, "", "a" * 64, "a" * 65, "a"]

    def is_accepted(id_):
        try:
            return require_id(id_, "truck_id", MAX_TRUCK_ID_LENGTH) == id_
        except ContractError:
            return False

    stage(staged, "click_items", [known_item(id_) for id_ in ids_])
    accepted = staged.execute(
        f"select ITEM_ID from STAGED_CLICK_ITEMS where {sql.is_id('ITEM_ID', MAX_TRUCK_ID_LENGTH)}"
    )
    assert sorted(id_ for (id_,) in accepted) == sorted(filter(is_accepted, ids_))


def test_limits_of_the_metrics_are_those_of_the_contracts(healthy_snowflake):
    def smallest(metric, below=0.0):
        return "x" * int(metric.minimum - (below > 0)) if metric.kind == "text" else metric.minimum - below

    def largest(metric, above=0.0):
        return "x" * int(metric.maximum + (above > 0)) if metric.kind == "text" else metric.maximum + above

    def measures(truck, values):
        assignments = ", ".join(f"{metric.name} = %s" for metric in METRICS)
        healthy_snowflake.execute(
            f"update {HISTORY} set {assignments} where TRUCK_ID = %s and IS_CURRENT", [*values, truck]
        )

    rule = RULES["metrics_are_in_range"]
    measures("TRK001", [smallest(metric) for metric in METRICS])
    measures("TRK002", [largest(metric) for metric in METRICS])
    assert offending(healthy_snowflake, rule) == []
    measures("TRK001", [smallest(metric, below=0.001) for metric in METRICS])
    measures("TRK002", [largest(metric, above=0.001) for metric in METRICS])
    found = sorted(offending(healthy_snowflake, rule))
    assert [key.split()[0] for key in found] == ["TRK001", "TRK002"]
    assert all(key.endswith(" ".join(ATTRIBUTES)) for key in found)


def test_an_error_between_two_checks_hides_no_failure_and_keeps_no_rule_from_the_recent_past(empty_snowflake):
    about = {"name": "r", "severity": "warn", "owner": "o", "meaning": "m", "action": "a", "runbook": "r"}
    since = f"EVENT_TIME >= {sql.bind('since')}::timestamp_ntz"
    works = quality.Rule(**about, statement=f"select TRUCK_ID as SAMPLE_KEY from {names.RAW_TABLE} where {since}")
    broken = quality.Rule(**about, statement=f"select SAMPLE_KEY from NOWHERE where {since}")
    runs = iter("abcdefgh")

    def check(rule):
        try:
            results, _ = quality.evaluate(empty_snowflake.connection, next(runs), [rule], [], lambda: None, Links())
        finally:
            empty_snowflake.connection.autocommit(True)
        return results[0].status

    old = reading(event_time=NOW - timedelta(days=90))
    empty_snowflake.land([old])
    assert [check(works), check(broken), check(broken), check(works)] == ["fail", "error", "error", "fail"]
    empty_snowflake.execute(f"delete from {names.RAW_TABLE}")
    assert [check(works), check(broken)] == ["pass", "error"]
    # Only the next first check of a day finds it.
    empty_snowflake.land([old])
    assert [check(works), check(works)] == ["pass", "pass"]
