"""The statements that the local Snowflake parses itself."""

from __future__ import annotations

import pytest
from sqlglot.dialects.snowflake import Snowflake

from include.local.snowflake import grammar
from include.local.snowflake.errors import SnowflakeError
from include.local.snowflake.grammar import Alter, Create, Describe, Drop, Name, Show
from include.local.snowflake.grant_grammar import GrantPrivileges, GrantRole, ShowGrants, Target, UseSecondaryRoles

pytestmark = pytest.mark.unit


def parse(sql):
    return grammar.parse(sql, Snowflake().tokenize(sql))


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "create or replace pipe a.\"b c\".p auto_ingest = true comment='it''s' as\ncopy into t from @s/p x",
            Create(
                "PIPE",
                Name(("A", "b c", "P")),
                {"AUTO_INGEST": True, "COMMENT": "it's"},
                or_replace=True,
                body="copy into t from @s/p x",
            ),
        ),
        (
            "CREATE STREAM IF NOT EXISTS s ON TABLE d.t APPEND_ONLY = TRUE SHOW_INITIAL_ROWS = false",
            Create(
                "STREAM",
                Name(("S",)),
                {"APPEND_ONLY": True, "SHOW_INITIAL_ROWS": False},
                if_not_exists=True,
                table=Name(("D", "T")),
            ),
        ),
        (
            "create stage s url = 's3://b/' storage_integration = i file_format = (format_name = 'f' type = json)",
            Create(
                "STAGE",
                Name(("S",)),
                {"URL": "s3://b/", "STORAGE_INTEGRATION": "I", "FILE_FORMAT": {"FORMAT_NAME": "f", "TYPE": "JSON"}},
            ),
        ),
        (
            "create file format f type = json, compression = gzip",
            Create("FILE FORMAT", Name(("F",)), {"TYPE": "JSON", "COMPRESSION": "GZIP"}),
        ),
        (
            "create storage integration i storage_allowed_locations = ('s3://a/', 's3://b/') enabled = true",
            Create(
                "STORAGE INTEGRATION",
                Name(("I",)),
                {"STORAGE_ALLOWED_LOCATIONS": ["s3://a/", "s3://b/"], "ENABLED": True},
            ),
        ),
        (
            "create warehouse w with warehouse_size = xsmall auto_suspend = 60",
            Create("WAREHOUSE", Name(("W",)), {"WAREHOUSE_SIZE": "XSMALL", "AUTO_SUSPEND": 60}),
        ),
        (
            "ALTER PIPE p SET PIPE_EXECUTION_PAUSED = true",
            Alter("PIPE", Name(("P",)), "SET", {"PIPE_EXECUTION_PAUSED": True}),
        ),
        (
            "alter pipe if exists p refresh prefix = 'd=1/' modified_after = '2026-11-22'",
            Alter("PIPE", Name(("P",)), "REFRESH", {"PREFIX": "d=1/", "MODIFIED_AFTER": "2026-11-22"}, if_exists=True),
        ),
        (
            "alter account set timezone = 'UTC'",
            Alter("ACCOUNT PARAMETERS", Name(("ACCOUNT",)), "SET", {"TIMEZONE": "UTC"}),
        ),
        (
            "alter table if exists s.t set data_retention_time_in_days = 0 max_data_extension_time_in_days = 14",
            Alter(
                "TABLE",
                Name(("S", "T")),
                "SET",
                {"DATA_RETENTION_TIME_IN_DAYS": 0, "MAX_DATA_EXTENSION_TIME_IN_DAYS": 14},
                if_exists=True,
            ),
        ),
        (
            "alter table t unset data_retention_time_in_days, max_data_extension_time_in_days",
            Alter(
                "TABLE",
                Name(("T",)),
                "UNSET",
                {"DATA_RETENTION_TIME_IN_DAYS": None, "MAX_DATA_EXTENSION_TIME_IN_DAYS": None},
            ),
        ),
        ("show parameters like 'TIME%' in account", Show("PARAMETER", "TIME%", "ACCOUNT")),
        ("show parameters for table d.s.t", Show("PARAMETER", None, "TABLE", Name(("D", "S", "T")))),
        ("drop stream if exists s", Drop("STREAM", Name(("S",)), if_exists=True)),
        ("desc storage integration i", Describe("STORAGE INTEGRATION", Name(("I",)))),
        ("describe integration i", Describe("INTEGRATION", Name(("I",)))),
        ("show pipes like 'p%' in schema d.s", Show("PIPE", "p%", "SCHEMA", Name(("D", "S")))),
        ("show warehouses", Show("WAREHOUSE")),
        ("show file formats in account", Show("FILE FORMAT", None, "ACCOUNT")),
        (
            "grant usage, monitor on warehouse w to role r with grant option",
            GrantPrivileges(("USAGE", "MONITOR"), Target("WAREHOUSE", Name(("W",))), "R", option=True),
        ),
        (
            "grant create file format on schema d.s to r",
            GrantPrivileges(("CREATE FILE FORMAT",), Target("SCHEMA", Name(("D", "S"))), "R"),
        ),
        (
            "revoke all privileges on future file formats in schema d.s from role r",
            GrantPrivileges(("ALL",), Target("FILE FORMAT", Name(("D", "S")), "FUTURE", "SCHEMA"), "R", revoke=True),
        ),
        (
            "grant ownership on all tables in database d to role r copy current grants",
            GrantPrivileges(("OWNERSHIP",), Target("TABLE", Name(("D",)), "ALL", "DATABASE"), "R", copy_grants=True),
        ),
        ("grant manage grants on account to role r", GrantPrivileges(("MANAGE GRANTS",), Target("ACCOUNT", None), "R")),
        ("revoke role r from user u", GrantRole("R", "USER", "U", revoke=True)),
        ("show grants", ShowGrants("TO", "USER", None)),
        ("show future grants in schema d.s", ShowGrants("FUTURE IN", "SCHEMA", Name(("D", "S")))),
        ("use secondary roles a, b", UseSecondaryRoles(("A", "B"))),
        (
            "create user u type = service rsa_public_key = 'MII' default_secondary_roles = ()",
            Create("USER", Name(("U",)), {"TYPE": "SERVICE", "RSA_PUBLIC_KEY": "MII", "DEFAULT_SECONDARY_ROLES": []}),
        ),
    ],
)
def test_statement(sql, expected):
    assert parse(sql) == expected


@pytest.mark.parametrize(
    "sql",
    [
        "select 1",
        "create table t (pipe int)",
        "drop table stream",
        "show tables",
        "desc table t",
        "alter table t add x int",
        "alter table t set comment = 'x'",
        "drop database d",
        "use warehouse w",
        "create or replace view v as select 1",
    ],
)
def test_everything_else_is_sqlglots(sql):
    assert parse(sql) is None


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("create pipe p auto_ingest = true", "unexpected end"),
        ("create pipe", "unexpected end"),
        ("create stream s on table t append_only = true nonsense", "unexpected 'nonsense'"),
        ("create stage s url = ", "unexpected end"),
        ("create stream s on view v", "Unsupported"),
        ("create task t as select 1", "Unsupported"),
        ("call p()", "Unsupported"),
        ("drop pipe a.b.c.d", "unexpected"),
        ("alter account set", "unexpected end"),
        ("alter table t set data_retention_time_in_days", "unexpected"),
        ("alter table t set data_retention_time_in_days = 1 nonsense", "unexpected 'nonsense'"),
        ("show parameters in user u", "SHOW PARAMETERS IN USER"),
        ("create pipe 'p' as copy into t from @s", "unexpected 'p'"),
    ],
)
def test_malformed_or_refused(sql, message):
    with pytest.raises(SnowflakeError, match=message):
        parse(sql)
