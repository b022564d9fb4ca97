"""The meter: what Snowflake would have billed.  The clock of most tests is simulated."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from include.local.snowflake.errors import SnowflakeError
from include.local.snowflake.instance import Instance
from include.local.snowflake.meter import CLOUD_SERVICES_ONLY, Assumptions, Charge, Meter, credits_per_hour, size_of
from include.local.snowflake.session import Session

START = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
WH = {"WAREHOUSE_SIZE": "XSMALL", "AUTO_SUSPEND": 60}


class SimulatedClock:
    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time

    def at(self, seconds: float) -> None:
        self.time = START + timedelta(seconds=seconds)


class Account:
    """A meter with one warehouse, whose statements are given by their times."""

    def __init__(self, definition: dict = WH, **assumptions: float) -> None:
        self.clock = SimulatedClock()
        self.meter = Meter(self.clock, Assumptions(**{"shortest_seconds": 1.0, "check_seconds": 0.0} | assumptions))
        self.meter.define("WH", definition)

    def statement(self, begins: float, ends: float, tag: str = "", warehouse: str | None = "WH") -> Charge:
        self.clock.at(begins)
        charge = self.meter.begin("id", "TRANSFORMER", tag)
        if warehouse:
            self.meter.use(charge, warehouse)
        self.clock.at(ends)
        self.meter.end(charge)
        return charge

    def seconds(self, now: float, hour: int = 0) -> float:
        self.clock.at(now)
        used = self.meter.warehouse_hours().get((START + timedelta(hours=hour), "WH"))
        return used.seconds if used else 0.0


@pytest.mark.unit
class TestBook:
    def test_hours_of_more_than_15_days_ago_are_forgotten(self):
        account = Account()
        for day in (0, 1, 16):
            account.statement(day * 86400, day * 86400 + 1, warehouse=None)
        days = [(hour - START).days for hour, _ in account.meter.warehouse_hours()]
        assert days == [1, 16]

    def test_a_resume_is_billed_60_seconds_and_the_idle_time_until_the_suspension(self):
        account = Account()
        charge = account.statement(0, 10)
        assert (charge.resumed, charge.seconds, charge.billed) == (True, 10, 70)
        assert account.seconds(3000) == 70
        assert account.seconds(30) == 60

    def test_a_statement_adds_the_time_by_which_it_puts_off_the_suspension(self):
        account = Account()
        first, second, third = (account.statement(at, at + 5, tag) for at, tag in ((0, "a"), (8, "b"), (200, "c")))
        assert [each.billed for each in (first, second, third)] == [65, 8, 65]
        assert [each.resumed for each in (first, second, third)] == [True, False, True]
        assert account.seconds(3000) == 138

    def test_each_resume_is_billed_60_seconds_even_if_the_one_before_was_not_used_up(self):
        account = Account({"AUTO_SUSPEND": 10})
        account.statement(0, 5)
        account.statement(20, 25)
        assert account.seconds(3000) == 120

    def test_statements_at_once_are_billed_once(self):
        account = Account()
        account.clock.at(0)
        long = account.meter.begin("long", None, "")
        account.meter.use(long, "WH")
        short = account.statement(10, 12)
        account.clock.at(300)
        account.meter.end(long)
        assert not short.resumed
        assert long.billed + short.billed == account.seconds(3000) == 360

    def test_an_account_checks_for_idle_warehouses_every_30_seconds(self):
        account = Account(check_seconds=30.0)
        assert account.statement(0, 10).billed == 90

    def test_a_short_statement_counts_as_the_shortest_and_a_laptop_may_be_faster(self):
        account = Account(shortest_seconds=2.0, slowness=3.0)
        assert account.statement(0, 0.1).seconds == 2
        assert account.statement(100, 105).seconds == 15

    def test_what_needs_no_warehouse_is_counted_apart(self):
        account = Account()
        charge = account.statement(0, 5, warehouse=None)
        assert (charge.warehouse, charge.billed) == (None, 0)
        hours = account.meter.warehouse_hours()
        assert list(hours) == [(START, CLOUD_SERVICES_ONLY)]
        assert 0 < hours[START, CLOUD_SERVICES_ONLY].cloud_services < 0.001

    def test_a_run_over_the_full_hour_is_billed_in_both(self):
        account = Account()
        account.statement(3590, 3650)
        assert (account.seconds(9000), account.seconds(9000, hour=1)) == (10, 110)

    def test_suspending_by_hand_ends_the_bill_and_resuming_begins_one(self):
        account = Account({"AUTO_SUSPEND": 600})
        first = account.statement(0, 100)
        account.clock.at(120)
        account.meter.suspend("WH")
        assert (first.billed, account.meter.is_running("WH")) == (120, False)
        account.clock.at(1000)
        by_hand = account.meter.begin("resume", None, "")
        account.meter.resume("WH", by_hand)
        assert account.meter.is_running("WH")
        assert by_hand.resumed

    @pytest.mark.parametrize("never", [0, None, "NULL"])
    def test_without_auto_suspend_it_runs_on(self, never):
        account = Account({"AUTO_SUSPEND": never})
        account.statement(0, 1)
        assert account.seconds(3600) == 3600

    def test_sizes(self):
        assert [credits_per_hour(size_of({"WAREHOUSE_SIZE": size})) for size in ("X-Small", "MEDIUM", "2X-Large")] == [
            1, 4, 32,
        ]  # fmt: skip
        assert size_of({}) == "XSMALL"

    def test_snowpipe_by_gb(self):
        account = Account()
        account.meter.loaded("PIPE", 512 * 1024**2, 3)
        account.meter.loaded("PIPE", 512 * 1024**2, 2)
        (used,) = account.meter.pipe_hours().values()
        assert (used.size_bytes, used.files, used.credits) == (1024**3, 5, 0.0037)


@pytest.mark.integration
class TestHour:
    """An hour of a whole account, without waiting for it."""

    @pytest.fixture(scope="class")
    def hour(self, tmp_path_factory):
        clock = SimulatedClock()
        meter = Meter(clock, Assumptions(shortest_seconds=1.0, check_seconds=0.0))
        instance = Instance(tmp_path_factory.mktemp("metered"), meter=meter)
        session = Session(instance)
        for sql in (
            "CREATE DATABASE SHOP",
            "CREATE TABLE SHOP.PUBLIC.STOCK (ITEM STRING)",
            "CREATE WAREHOUSE WH AUTO_SUSPEND = 60 INITIALLY_SUSPENDED = TRUE",
            "USE WAREHOUSE WH",
        ):
            session.execute(sql)
        for minute in range(0, 60, 10):
            clock.at(minute * 60)
            session.execute("ALTER SESSION SET QUERY_TAG = 'merge'")
            session.execute("INSERT INTO SHOP.PUBLIC.STOCK VALUES ('apple')")
            clock.at(minute * 60 + 5)
            session.execute("ALTER SESSION SET QUERY_TAG = 'quality'")
            session.execute("SELECT ITEM FROM SHOP.PUBLIC.STOCK")
            session.execute("SELECT CURRENT_TIMESTAMP()")
        clock.at(3600)
        session.execute("ALTER SESSION SET QUERY_TAG = ''")
        session.execute("USE WAREHOUSE COMPUTE_WH")
        yield session
        session.close()
        instance.close()

    def rows(self, session: Session, sql: str) -> list[tuple]:
        table = session.execute(sql).table
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True))

    def test_the_bill_of_a_warehouse(self, hour):
        metered = "TABLE(INFORMATION_SCHEMA.WAREHOUSE_METERING_HISTORY('2026-11-27T09:00:00Z'::TIMESTAMP_TZ, {}))"
        bill = "SELECT WAREHOUSE_NAME, ROUND(CREDITS_USED_COMPUTE * 3600) FROM " + metered
        assert self.rows(hour, bill.format("WAREHOUSE_NAME => 'WH'")) == [("WH", 6 * 66)]
        everything = self.rows(hour, bill.format("DATE_RANGE_END => '2026-11-27T10:00:00Z'::TIMESTAMP_TZ"))
        assert sorted(everything) == [("CLOUD_SERVICES_ONLY", 0), ("WH", 396)]
        assert self.rows(hour, bill.format("DATE_RANGE_END => '2026-11-27T09:00:00Z'::TIMESTAMP_TZ")) == []

    def test_a_warehouse_whose_auto_suspend_is_unset_suspends_after_ten_minutes(self, tmp_path):
        clock = SimulatedClock()
        meter = Meter(clock, Assumptions(shortest_seconds=1.0, check_seconds=0.0))
        instance = Instance(tmp_path, meter=meter)
        session = Session(instance)
        for sql in (
            "CREATE WAREHOUSE WH WITH WAREHOUSE_SIZE = LARGE AUTO_SUSPEND = 60 COMMENT = 'large'",
            "ALTER WAREHOUSE WH SUSPEND",
            "ALTER WAREHOUSE WH UNSET AUTO_SUSPEND, WAREHOUSE_SIZE, COMMENT",
            "USE WAREHOUSE WH",
        ):
            session.execute(sql)
        clock.at(3600)
        session.execute("SELECT COUNT(*) FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY())")
        clock.at(7200)
        assert meter.warehouse_hours()[START + timedelta(hours=1), "WH"].seconds == 601
        (shown,) = self.rows(session, "SHOW WAREHOUSES LIKE 'WH'")
        assert (shown[3], shown[11], shown[21]) == ("X-Small", 600, "")
        session.close()
        instance.close()

    def test_a_warehouse_is_resumed_twice_only_with_if_suspended(self, hour):
        hour.execute("CREATE WAREHOUSE TWICE")
        with pytest.raises(SnowflakeError, match="cannot be resumed"):
            hour.execute("ALTER WAREHOUSE TWICE RESUME")
        hour.execute("ALTER WAREHOUSE TWICE RESUME IF SUSPENDED")
        hour.execute("ALTER WAREHOUSE TWICE SUSPEND")
        hour.execute("ALTER WAREHOUSE TWICE RESUME")
        hour.execute("DROP WAREHOUSE TWICE")

    @pytest.mark.parametrize(
        ("statement", "errno"),
        [
            ("ALTER WAREHOUSE COMPUTE_WH RESUMEE", 2),
            ("ALTER WAREHOUSE COMPUTE_WH SET", 1003),
            ("ALTER WAREHOUSE COMPUTE_WH SET COLOUR = RED", 2),
            ("ALTER WAREHOUSE COMPUTE_WH UNSET COLOUR", 2),
            ("CREATE WAREHOUSE W2 WAREHOUSE_SIZE = 'BOGUS'", 1008),
            ("CREATE WAREHOUSE W2 AUTO_SUSPEND = SOON", 1008),
            ("CREATE WAREHOUSE W2 AUTO_RESUME = 3", 1008),
            ("CREATE WAREHOUSE W2 MAX_CLUSTER_COUNT = 3", 2),
            ("CREATE WAREHOUSE W2 MAX_CONCURRENCY_LEVEL = 4", 2),
            ("ALTER WAREHOUSE COMPUTE_WH SET WAIT_FOR_COMPLETION = 3", 1008),
            ("ALTER WAREHOUSE COMPUTE_WH ABORT ALL QUERIES", 2),
            ("ALTER WAREHOUSE COMPUTE_WH RENAME TO W2", 2),
        ],
    )
    def test_what_a_warehouse_can_not_have_is_refused(self, hour, statement, errno):
        with pytest.raises(SnowflakeError) as refused:
            hour.execute(statement)
        assert refused.value.errno == errno
        assert self.rows(hour, "SHOW WAREHOUSES LIKE 'W2'") == []

    @pytest.mark.parametrize("waits", ["TRUE", "FALSE"])
    def test_a_size_changes_at_once_whether_somebody_waits_for_it_or_not(self, hour, waits):
        hour.execute("CREATE WAREHOUSE SIZED")
        hour.execute(f"ALTER WAREHOUSE SIZED SET WAREHOUSE_SIZE = 'X-Large' WAIT_FOR_COMPLETION = {waits}")
        assert self.rows(hour, "SHOW WAREHOUSES LIKE 'SIZED'")[0][3] == "X-Large"
        hour.execute("DROP WAREHOUSE SIZED")

    def test_what_each_tag_adds_to_it(self, hour):
        by_tag = """
            SELECT QUERY_TAG, ROLE_NAME, COUNT(*), COUNT_IF(RESUMED), SUM(SECONDS_BILLED)
            FROM TABLE(INFORMATION_SCHEMA.LOCAL_METER())
            WHERE WAREHOUSE_NAME = 'WH' AND QUERY_TAG IN ('merge', 'quality')
            GROUP BY 1, 2 ORDER BY 1
        """
        assert self.rows(hour, by_tag) == [
            ("merge", "ACCOUNTADMIN", 6, 6, 6 * 61), ("quality", "ACCOUNTADMIN", 6, 0, 6 * 5),
        ]  # fmt: skip

    def test_the_history_has_the_texts_as_sent_and_who_used_a_warehouse(self, hour):
        history = """
            SELECT QUERY_TEXT, WAREHOUSE_SIZE, EXECUTION_TIME FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY())
            WHERE QUERY_TAG = 'quality' AND QUERY_TEXT LIKE 'SELECT CURRENT%' OR QUERY_TEXT LIKE 'INSERT%'
        """
        assert set(self.rows(hour, history)) == {
            ("INSERT INTO SHOP.PUBLIC.STOCK VALUES ('apple')", "XSMALL", 1000), ("SELECT CURRENT_TIMESTAMP()", None, 0),
        }  # fmt: skip

    def test_show_warehouses_says_whether_one_runs(self, hour):
        hour.execute("SELECT COUNT(*) FROM SHOP.PUBLIC.STOCK")
        shown = [(row[0], row[1], row[11]) for row in self.rows(hour, "SHOW WAREHOUSES")]
        assert shown == [("COMPUTE_WH", "STARTED", 600), ("WH", "SUSPENDED", 60)]


@pytest.mark.integration
def test_pipes_are_metered_by_what_they_load(warehouse, wait_until, copy_readings):
    warehouse.stage()
    warehouse.rows(f"CREATE PIPE METERED AUTO_INGEST = FALSE AS {copy_readings}")
    key = warehouse.put("one.json.gz", {"truck": "T1", "speed": 1.0, "at": "2026-11-27T09:00:00"})
    warehouse.rows("ALTER PIPE METERED REFRESH")
    usage = f"""
        SELECT BYTES_INSERTED, FILES_INSERTED FROM TABLE(INFORMATION_SCHEMA.PIPE_USAGE_HISTORY(
            PIPE_NAME => 'TESTS.{warehouse.schema}.METERED'))
    """
    assert wait_until(lambda: warehouse.rows(usage)) == [(59, 1)], key


@pytest.mark.integration
def test_the_meter_refuses_what_it_does_not_know(warehouse):
    call = "SELECT * FROM TABLE(INFORMATION_SCHEMA.{})"
    assert warehouse.error(call.format("WAREHOUSE_METERING_HISTORY()")).errno == 1015
    assert warehouse.error(call.format("PIPE_USAGE_HISTORY(SINCE => CURRENT_DATE())")).errno == 1015
    assert "LOCAL_METER with arguments" in str(warehouse.error(call.format("LOCAL_METER('WH')")))
