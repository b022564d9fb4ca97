"""docs/deploy.md followed on two accounts: one that is new, and one that has the last release with data in it.

The statements are those of the page (tests/fixtures/deploy_guide.py).
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import snowflake.connector
from airflow.sdk.exceptions import AirflowFailException
from clicks_to_deliveries.hooks.stack import StackHook
from clicks_to_deliveries.operators.provision_snowflake import OF_INTEGRATION, ProvisionSnowflakeOperator
from clicks_to_deliveries.operators.refresh_pipe import RefreshPipeOperator
from clicks_to_deliveries.operators.upgrade_snowflake import UpgradeSnowflakeOperator
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import ProgrammingError

from include import names, sql
from include.quality.findings import relation
from include.quality.rules import RELATIONS
from include.schema_changes import declared_objects, deployed_objects
from tests.fixtures import deploy_guide
from tests.fixtures.snowflake import LocalSnowflake
from tests.fixtures.waiting import wait_for
from tests.releases import DDL, releases
from tests.sql.conftest import PARAMETERS, SnowflakeSession

pytestmark = [pytest.mark.sql, pytest.mark.timeout(300)]

RELEASE = (releases()[-1] / DDL).read_text()
NOW = datetime.now(UTC).replace(tzinfo=None)
# Rows of each table of the release that is not telemetry.
ROWS = {
    names.KNOWN_TRUCKS_TABLE: {"TRUCK_ID": "TRK777", "REGISTERED_AT": NOW},
    names.MERGE_RUNS_TABLE: {
        "RUN_ID": "old", "STARTED_AT": NOW, "FINISHED_AT": NOW,
        "ROWS_INSERTED": 1, "ROWS_UPDATED": 0, "ROWS_DELETED": 0,
    },
    names.QUALITY_RESULTS_TABLE: {
        "RUN_ID": "old", "RULE": "a_rule_that_is_gone", "SEVERITY": "warn", "STATUS": "pass", "CHECKED_AT": NOW,
    },
    names.LEDGER_TABLE: {
        "STREAM_NAME": names.TRUCK_STREAM, "ARRIVAL_HOUR": NOW, "IS_OPEN": False, "BALANCED": True,
        **dict.fromkeys(("ARCHIVED", "LANDED", "DUPLICATES", "QUARANTINED", "RESOLVED", "MISSING", "NOT_LOADED"), 0),
        **dict.fromkeys(("UNEXPECTED", "CONFLICTS", "COVERED", "WAITING", "OVERDUE", "UNCOVERED"), 0),
        "CHECKED_AT": NOW, "RUN_ID": "old",
    },
}  # fmt: skip


class Account:
    """A Snowflake account and what a reader of the page does with it."""

    def __init__(self, server: LocalSnowflake, bucket: Any) -> None:
        self.server, self.bucket = server, bucket
        self.connections = deploy_guide.snowflake_connections(server.keys, server.port)
        self.opened: list[SnowflakeConnection] = []

    def administer(self, script: str) -> None:
        """Run statements as ACCOUNTADMIN, as in a worksheet."""
        with closing(self.server.connect(role="ACCOUNTADMIN")) as connection:
            connection.execute_string(script, remove_comments=True)

    def session(self, connection_id: str) -> SnowflakeSession:
        """A session as one of the page's connections."""
        connection = self.connections[connection_id]
        options = {"user": connection["login"], "schema": connection["schema"], **connection["extra"]}
        self.opened.append(snowflake.connector.connect(**options))
        return SnowflakeSession(self.opened[-1], self.bucket)

    def provision(self, of_stack: dict[str, str], **options: Any) -> dict[str, str]:
        """The Snowflake tasks of provision_resources; what the last one returns."""
        self.upgrade(of_stack, **options)
        for ddl, required in (("ddl/0[1-5]*.sql", tuple(OF_INTEGRATION)), ("ddl/0[6-9]*.sql", None)):
            created = {"ddl": ddl, "parameters": PARAMETERS} | ({"required": required} if required else {})
            found = ProvisionSnowflakeOperator(task_id="create", **created).execute({})
        RefreshPipeOperator(task_id="refresh").execute({})
        return found

    def upgrade(self, of_stack: dict[str, str], **options: Any) -> dict[str, str]:
        """The first of these tasks, of a deployment whose stack has these values."""
        upgrade = {"task_id": "upgrade", "ddl": "ddl/0[124-9]*.sql", "stack_name": "a-stack"}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(StackHook, "parameters", lambda *_: of_stack)
            return UpgradeSnowflakeOperator(**upgrade, **options).execute({})

    def put(self, file: str, *trucks: str, **values: Any) -> None:
        """A landing file with a reading of each truck."""
        lines = [
            {
                "truck_id": truck, "event_time": NOW.isoformat(), "stream_name": names.TRUCK_STREAM, "shard_id": "0",
                "sequence_number": f"{file}-{truck}", "arrival_time": NOW.isoformat(), "gps_speed": 42.5, **values,
            }
            for truck in trucks
        ]  # fmt: skip
        body = gzip.compress("\n".join(map(json.dumps, lines)).encode())
        self.bucket.put(f"{names.LANDING_PREFIX}{file}.json.gz", body)


@pytest.fixture
def account(own_snowflake_server: LocalSnowflake, telemetry_bucket: Any) -> Iterator[Account]:
    """A new account; Airflow's connections are those of the page."""
    account = Account(own_snowflake_server, telemetry_bucket)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in deploy_guide.environment_of(account.connections).items():
            patch.setenv(name, value)
        yield account
    for connection in account.opened:
        connection.close()


def trucks(session: SnowflakeSession, table: str) -> list[str]:
    return [truck for (truck,) in session.execute(f"select distinct TRUCK_ID from {table} order by 1")]


def state(session: SnowflakeSession) -> dict[str, Any]:
    """What running it again must not change."""
    tables = [row[1] for row in session.execute("show tables in schema")]
    return {table: sorted(session.execute(f"select * from {table}"), key=str) for table in tables} | {
        "columns": session.execute(
            "select TABLE_NAME, COLUMN_NAME, DATA_TYPE, IS_NULLABLE from INFORMATION_SCHEMA.COLUMNS order by 1, 2"
        ),
        "streams": [(row[1], row[0]) for row in session.execute("show streams in schema")],
        "integration": session.execute(f"desc integration {names.STORAGE_INTEGRATION}"),
        "pipe": session.execute(f"desc pipe {names.PIPE}"),
    }


@pytest.mark.verify
def test_a_new_account_needs_nothing_that_the_page_does_not_ask_for(account: Account) -> None:
    account.administer(deploy_guide.identities_sql(account.server.keys))
    account.bucket.empty()
    account.put("before", "EARLY")
    values = account.provision({})
    assert all(values.values())
    deployer = account.session("snowflake_deployer")
    wait_for(lambda: trucks(deployer, names.RAW_TABLE) == ["EARLY"], "the file from before the notification")

    # Each connection can do its work.
    account.session("snowflake_default").merge()
    assert trucks(account.session("snowflake_repairer"), names.HISTORY_TABLE) == ["EARLY"]
    assert trucks(account.session("snowflake_erasure"), names.KNOWN_TRUCKS_TABLE) == ["TRK001", "TRK002", "TRK003"]
    assert len(account.connections) == 4
    reader = SnowflakeSession(account.server.connect_as("reader"), account.bucket)
    assert trucks(reader, names.TRUCK_HISTORY_VIEW) == ["EARLY"]

    before = state(deployer)
    assert account.provision(values) == values
    assert state(deployer) == before

    # A role that sees too little takes nothing away.
    account.administer(f"grant ownership on integration {names.STORAGE_INTEGRATION} to role SYSADMIN")
    with pytest.raises(AirflowFailException, match=f"does not see storage integration {names.STORAGE_INTEGRATION}"):
        account.provision(values)
    with pytest.raises(ProgrammingError, match=f"Integration '{names.STORAGE_INTEGRATION}' does not exist or not auth"):
        account.provision(values, recreate="True")
    create = ProvisionSnowflakeOperator(task_id="create", ddl="ddl/020*.sql")
    with pytest.raises(AirflowFailException, match=r"which the files of sql/ddl/020.* created or found"):
        create.execute({})
    account.administer(
        f"grant ownership on integration {names.STORAGE_INTEGRATION} to role {names.DEPLOYER_ROLE};"
        f"grant ownership on pipe {names.DATABASE}.{names.SCHEMA}.{names.PIPE} to role SYSADMIN revoke current grants"
    )
    with pytest.raises(AirflowFailException, match=f"does not see pipe .*{names.PIPE}.*hand it over"):
        account.provision(values)


def release_with_data(account: Account) -> SnowflakeSession:
    """The objects of the last release as its page had them made, by SYSADMIN, and rows in each table.

    OLD is merged.  UNREAD is loaded and waits in the stream.
    """
    account.administer(
        "grant create integration on account to role SYSADMIN; grant create role on account to role SYSADMIN"
    )
    admin = SnowflakeSession(account.server.connect(role="SYSADMIN"), account.bucket)
    admin.connection.execute_string(RELEASE, remove_comments=True)
    for statement in (
        f"use warehouse {names.WAREHOUSE}",
        f"use schema {names.DATABASE}.{names.SCHEMA}",
    ):
        admin.execute(statement)
    account.put("merged", "OLD")
    admin.execute(f"alter pipe {names.PIPE} refresh")
    wait_for(lambda: trucks(admin, names.RAW_TABLE) == ["OLD"], "the first file")
    # As its MERGE did with the first reading of a truck.
    listed = ", ".join(sql.ATTRIBUTES)
    admin.execute(
        f"insert into {names.HISTORY_TABLE} (TRUCK_ID, LOAD_TIMESTAMP, EFFECTIVE_START_DATE, IS_CURRENT, {listed})"
        f" select TRUCK_ID, LOAD_TIMESTAMP, EVENT_TIME, true, {listed} from {names.RAW_STREAM}"
    )
    account.put("unread", "UNREAD")
    admin.execute(f"alter pipe {names.PIPE} refresh")
    wait_for(lambda: trucks(admin, names.RAW_TABLE) == ["OLD", "UNREAD"], "the second file")
    for table, row in ROWS.items():
        admin.insert(table, row, [row.values()])
    return admin


@pytest.mark.verify
def test_the_last_release_is_upgraded_with_its_data_by_running_it(account: Account) -> None:
    account.bucket.empty()
    admin = release_with_data(account)
    kept = {
        table: admin.execute(f"select {', '.join(row)} from {table} order by 1")
        for table, row in {**ROWS, names.HISTORY_TABLE: dict.fromkeys(sql.HISTORY_COLUMNS)}.items()
    }
    offset = admin.execute(f"select SYSTEM$STREAM_GET_TABLE_TIMESTAMP('{names.RAW_STREAM}')")
    integration = admin.execute(f"desc integration {names.STORAGE_INTEGRATION}")
    handshake = {row[0]: row[2] for row in integration}
    of_stack = {
        "SnowflakeUserArn": handshake["STORAGE_AWS_IAM_USER_ARN"],
        "SnowflakeExternalId": handshake["STORAGE_AWS_EXTERNAL_ID"],
        "SnowpipeQueueArn": admin.execute(f"desc pipe {names.PIPE}")[0][6],
    }

    # The page, section "Upgrading".
    account.administer(deploy_guide.identities_sql(account.server.keys))
    with pytest.raises(AirflowFailException, match=r"does not see pipe .* and storage integration .*hand it over"):
        account.provision(of_stack)
    account.administer(deploy_guide.handing_over())
    deployer = account.session("snowflake_deployer")

    # What the files can't change is refused, and nothing else is done.
    deployer.execute(f"alter table {names.RAW_TABLE} add column DEPOT string")
    deployer.execute(f"alter table {names.KNOWN_TRUCKS_TABLE} drop column REGISTERED_AT")
    untouched = state(deployer)
    with pytest.raises(AirflowFailException) as refused:
        account.provision(of_stack)
    assert refused.match(f"^nothing was changed.*{names.RAW_TABLE}.DEPOT is not a column of this version")
    assert refused.match(f"{names.KNOWN_TRUCKS_TABLE}.REGISTERED_AT is missing")
    assert state(deployer) == untouched
    deployer.execute(f"alter table {names.KNOWN_TRUCKS_TABLE} add column REGISTERED_AT timestamp_ntz")
    deployer.execute(f"update {names.KNOWN_TRUCKS_TABLE} set REGISTERED_AT = %s", [NOW.isoformat()])
    deployer.execute(f"alter table {names.KNOWN_TRUCKS_TABLE} alter column REGISTERED_AT set not null")
    kept[names.KNOWN_TRUCKS_TABLE] = deployer.execute(
        f"select TRUCK_ID, REGISTERED_AT from {names.KNOWN_TRUCKS_TABLE} order by 1"
    )

    assert account.provision(of_stack, keep_unknown_columns="True") == of_stack
    account.administer(deploy_guide.resuming_the_pipe())

    # Rows, offsets and the handshake are as they were; every column of this version is there.
    for table, rows in kept.items():
        listed = ", ".join(ROWS.get(table) or sql.HISTORY_COLUMNS)
        assert deployer.execute(f"select {listed} from {table} order by 1") == rows
    assert "UNREAD" in trucks(deployer, names.RAW_STREAM)
    assert deployer.execute(f"select SYSTEM$STREAM_GET_TABLE_TIMESTAMP('{names.RAW_STREAM}')") == offset
    assert deployer.execute(f"desc integration {names.STORAGE_INTEGRATION}") == integration
    declared = declared_objects()
    deployed = deployed_objects(deployer.connection, declared)
    assert deployed.streams == declared.streams
    for name, table in declared.tables.items():
        extra = {"DEPOT"} if name == names.RAW_TABLE else set()
        assert deployed.tables[name].columns.keys() == table.columns.keys() | extra

    # The new pipe loads the new columns, and the transformer merges, checks a new rule and reads the views.
    account.put("after", "NEW", nulled_metrics={"gps_latitude": "-200"}, sub_sequence_number=3)
    deployer.execute(f"alter pipe {names.PIPE} refresh")
    wait_for(lambda: "NEW" in trucks(deployer, names.RAW_TABLE), "the file after the upgrade")
    transformer = account.session("snowflake_default")
    transformer.merge()
    assert trucks(transformer, names.HISTORY_TABLE) == trucks(transformer, names.TRUCK_HISTORY_VIEW)
    assert [(each.truck_id, each.is_current) for each in transformer.history()] == [
        ("NEW", True), ("OLD", True), ("UNREAD", True),
    ]  # fmt: skip
    assert trucks(transformer, names.FLEET_VIEW) == ["TRK001", "TRK002", "TRK003", "TRK777"]
    rule = sql.render("quality/metrics_arrive_in_range.sql")
    since = {"since": (NOW - timedelta(hours=1)).isoformat()}
    for name in RELATIONS:
        transformer.execute(f"create temporary table STAGED_{name} as {relation(name)}", since)
    assert transformer.execute(rule, since)

    # Run again, it does nothing.
    before = state(deployer)
    assert account.upgrade(of_stack, keep_unknown_columns="True") == of_stack
    assert state(deployer) == before
    # Time Travel needs the tables themselves: none was ever replaced, copied or emptied.
    sent = account.server.connect(database=names.DATABASE).cursor().execute(
        "select lower(QUERY_TEXT) from table(INFORMATION_SCHEMA.QUERY_HISTORY(RESULT_LIMIT => 1000))"
    )  # fmt: skip
    texts = [text for (text,) in sent.fetchall()]
    assert any("add column if not exists nulled_metrics" in text for text in texts)
    assert not [text for text in texts if re.match(r"\s*(create or replace (?!view|pipe)|drop|truncate|undrop)", text)]
