"""What a Snowflake shop expects, set up by its scripts on a provisioned account, seen as each role, and taken back."""

from __future__ import annotations

from contextlib import closing, contextmanager

import pytest
from msgspec.structs import replace
from snowflake.connector.errors import DatabaseError, ProgrammingError

from include import names, snowflake_governance, sql
from include.settings import Settings

pytestmark = pytest.mark.sql

MISSING, INSUFFICIENT = 2003, 3001
POSITION, SPEED = (48.137, 11.575, 519.0), 31.0
PARAMETERS = {"storage_role_arn": "arn:aws:iam::000000000000:role/snowflake", "telemetry_bucket": "any"}
SCHEMA = f"{names.DATABASE}.{names.SCHEMA}"
CONSUMER_VIEW = f"{SCHEMA}.{names.CONSUMER_VIEW}"
ALL_ON = Settings(
    deployment_bucket="unused",
    snowflake_mask_positions=True,
    snowflake_position_roles="dispatch",
    snowflake_credit_quota=100,
    snowflake_allowed_ips="127.0.0.0/8, 10.0.0.0/8",
)
STANDARD = Settings(deployment_bucket="unused", snowflake_key_pair_only=False)


@contextmanager
def as_role(server, role):
    """An analyst of the shop, in a role of hers and no other."""
    with closing(server.connect(user="ANALYST", password="of-the-analyst", role=role, warehouse="COMPUTE_WH")) as found:
        yield Reader(found)


class Reader:
    def __init__(self, connection):
        self.connection = connection

    def rows(self, statement):
        return self.connection.cursor().execute(statement).fetchall()

    def refusal(self, statement):
        with pytest.raises(ProgrammingError) as raised:
            self.rows(statement)
        return raised.value.errno


def set_up(chosen, administrator, deployer):
    given = snowflake_governance.parameters(chosen)
    for script in snowflake_governance.scripts(chosen):
        deployer.run(script, **given)
    administrator.run(snowflake_governance.ADMINISTRATOR, **given)


def take_back(chosen, administrator):
    administrator.run(snowflake_governance.UNDO, **snowflake_governance.parameters(chosen))


@pytest.fixture
def account(provisioned, administrator, empty_snowflake):
    """An account with one reading, merged, and an analyst of a shop with two roles; the shop's things are removed."""
    place = dict(zip(sql.POSITIONS, POSITION, strict=True))
    times = dict.fromkeys(("EVENT_TIME", "ARRIVAL_TIME", "LOAD_TIMESTAMP"), "2026-11-01T00:00:00")
    reading = {"TRUCK_ID": "TRK1", "SEQUENCE_NUMBER": "1", "FILE_NAME": "f", "FILE_ROW_NUMBER": 1, "GPS_SPEED": SPEED}
    empty_snowflake.land([reading | times | place])
    empty_snowflake.merge()
    roles = ("CUSTOMERS", "DISPATCH")
    administrator.execute("create user ANALYST password = 'of-the-analyst' default_secondary_roles = ()")
    for role in roles:
        administrator.execute(f"create role {role}")
        administrator.execute(f"grant usage on warehouse COMPUTE_WH to role {role}")
        administrator.execute(f"grant role {role} to user ANALYST")
    yield administrator
    if administrator.execute("show network policies"):  # a test failed half way
        take_back(ALL_ON, administrator)
    for role in roles:
        administrator.execute(f"drop role {role}")
    administrator.execute("drop user ANALYST")
    empty_snowflake.empty()


def open_to_consumers(account):
    for role in ("CUSTOMERS", "DISPATCH"):
        account.execute(f"grant role {names.CONSUMER_ROLE} to role {role}")


SEEN = f"select TRUCK_ID, GPS_SPEED, {', '.join(sql.POSITIONS)} from {CONSUMER_VIEW}"
EXACT, MASKED = [("TRK1", SPEED, *POSITION)], [("TRK1", SPEED, None, None, None)]


def test_everything_on_is_set_up_twice_seen_by_each_role_and_taken_back(provisioned, account, snowflake):
    for _ in range(2):  # the second time changes nothing
        set_up(ALL_ON, account, snowflake)
    open_to_consumers(account)

    # Consumers read the view and nothing else, and see positions only in a role that the setting names.
    with as_role(provisioned, "CUSTOMERS") as customers, as_role(provisioned, "DISPATCH") as dispatch:
        assert (customers.rows(SEEN), dispatch.rows(SEEN)) == (MASKED, EXACT)
        for table in (names.HISTORY_TABLE, names.RAW_TABLE, names.TRUCK_HISTORY_VIEW, names.KNOWN_TRUCKS_TABLE):
            assert customers.refusal(f"select * from {SCHEMA}.{table}") == MISSING
        assert customers.refusal(f"delete from {CONSUMER_VIEW}") in (MISSING, INSUFFICIENT)
        assert customers.refusal(f"use warehouse {names.WAREHOUSE}") == MISSING
        (shown,) = customers.rows(f"show views like '{names.CONSUMER_VIEW}' in schema {SCHEMA}")
        assert True in shown
        assert not any("select" in str(value).lower() for value in shown)
        # Whoever gets the tables by another way sees no positions there either.
        account.execute(f"grant select on table {SCHEMA}.{names.RAW_TABLE} to role CUSTOMERS")
        account.execute(f"grant usage on database {names.DATABASE} to role CUSTOMERS")
        account.execute(f"grant usage on schema {SCHEMA} to role CUSTOMERS")
        assert customers.rows(f"select {sql.POSITIONS[0]} from {SCHEMA}.{names.RAW_TABLE}") == [(None,)]
    for job in ("transformer", "repairer", "eraser", "reader"):
        with closing(provisioned.connect_as(job)) as connection:
            seen = connection.cursor().execute(f"select {', '.join(sql.POSITIONS)} from {names.HISTORY_TABLE}")
            assert seen.fetchall() == [POSITION]
    tag = f"select system$get_tag('{SCHEMA}.{names.PERSONAL_DATA_TAG}', '{SCHEMA}.{names.RAW_TABLE}.{{}}', 'column')"
    assert [account.execute(tag.format(column)) for column in ("GPS_LATITUDE", "GPS_SPEED")] == [
        [("position",)],
        [(None,)],
    ]

    # The monitor is on both warehouses, and users log in as their policies say.
    monitors = {row[0]: row[24] for row in account.execute("show warehouses")}
    assert monitors[names.WAREHOUSE] == monitors[names.READER_WAREHOUSE] == names.RESOURCE_MONITOR
    assert [row[:2] for row in account.execute("show resource monitors")] == [(names.RESOURCE_MONITOR, "100")]
    account.execute(f"alter network policy {names.NETWORK_POLICY} set allowed_ip_list = ('10.0.0.0/8')")
    with pytest.raises(DatabaseError, match=r"127\.0\.0\.1 is not allowed"):
        provisioned.connect_as("reader", login_timeout=5)

    take_back(ALL_ON, account)
    with closing(provisioned.connect_as("reader")) as connection:
        assert connection.cursor().execute(f"select GPS_SPEED from {names.HISTORY_TABLE}").fetchall() == [(SPEED,)]
    with as_role(provisioned, "CUSTOMERS") as customers:
        assert customers.refusal(SEEN) == MISSING
        assert customers.rows(f"select {sql.POSITIONS[0]} from {SCHEMA}.{names.RAW_TABLE}") == [(POSITION[0],)]
    assert account.execute("show resource monitors") == account.execute("show network policies") == []
    assert account.execute(f"show masking policies in schema {SCHEMA}") == []


def test_one_feature_is_taken_back_and_consumers_see_no_more_than_before(provisioned, account, snowflake):
    set_up(ALL_ON, account, snowflake)
    open_to_consumers(account)
    nothing = replace(ALL_ON, snowflake_key_pair_only=False, snowflake_consumer_view=False)
    rest = replace(nothing, snowflake_mask_positions=False)
    try:
        take_back(rest, account)
        assert account.execute("show resource monitors") == account.execute("show network policies") == []
        with as_role(provisioned, "CUSTOMERS") as customers, as_role(provisioned, "DISPATCH") as dispatch:
            assert (customers.rows(SEEN), dispatch.rows(SEEN)) == (MASKED, EXACT)

        take_back(replace(nothing, snowflake_credit_quota=None, snowflake_allowed_ips=""), account)
        with as_role(provisioned, "CUSTOMERS") as customers:
            assert customers.refusal(SEEN) == MISSING

        set_up(Settings(deployment_bucket="unused"), account, snowflake)
        with as_role(provisioned, "DISPATCH") as dispatch:
            assert dispatch.rows(SEEN) == MASKED
    finally:
        take_back(Settings(deployment_bucket="unused"), account)


def test_in_the_standard_edition_nobody_sees_positions_in_the_consumers_view(provisioned, account, snowflake):
    set_up(STANDARD, account, snowflake)
    open_to_consumers(account)
    try:
        with as_role(provisioned, "DISPATCH") as dispatch:
            assert dispatch.rows(SEEN) == MASKED
    finally:
        take_back(STANDARD, account)


def test_a_new_integration_has_the_external_id_of_the_setting(snowflake):
    (create,) = [
        each
        for each in snowflake.statements("ddl/030_landing_zone.sql", **PARAMETERS, external_id="our-own-id")
        if "storage integration" in each
    ]
    snowflake.execute(create.replace(names.STORAGE_INTEGRATION, "ANOTHER_INTEGRATION"))
    try:
        properties = {row[0]: row[2] for row in snowflake.execute("desc integration ANOTHER_INTEGRATION")}
    finally:
        snowflake.execute("drop integration ANOTHER_INTEGRATION")
    assert properties["STORAGE_AWS_EXTERNAL_ID"] == "our-own-id"


def test_statements_give_up_waiting_for_a_warehouse(snowflake):
    for warehouse in (names.WAREHOUSE, names.READER_WAREHOUSE):
        (row,) = snowflake.execute(f"show parameters like 'STATEMENT_QUEUED%' in warehouse {warehouse}")
        assert row[1] == "600"
