"""Who may do what, statement by statement: roles, grants, ownership.  Below the wire: one account, many sessions."""

from __future__ import annotations

import json

import pytest

from include.local.snowflake.instance import Instance
from tests.local_snowflake.person import Person

pytestmark = pytest.mark.unit

MISSING, INSUFFICIENT, NO_WAREHOUSE = 2003, 3001, 606
INTEGRATION = (
    "CREATE STORAGE INTEGRATION {} TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE"
    " STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::1:role/r' STORAGE_ALLOWED_LOCATIONS = ('*')"
)
PIPE = "CREATE PIPE {} AS COPY INTO T FROM (SELECT $1:a::INTEGER FROM @STAGED) FILE_FORMAT = (FORMAT_NAME = 'LINES')"


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("roles")


@pytest.fixture(scope="module")
def instance(directory):
    opened = Instance(directory)
    admin = Person(opened, database=None, schema=None)
    admin.rows(
        "CREATE DATABASE D",
        "CREATE SCHEMA D.S",
        "CREATE TABLE T (A INTEGER)",
        "CREATE VIEW V AS SELECT A FROM T",
        "CREATE STREAM NEW_ROWS ON TABLE T APPEND_ONLY = TRUE",
        "CREATE SEQUENCE NUMBERS",
        "CREATE FILE FORMAT LINES TYPE = JSON",
        INTEGRATION.format("REACHED"),
        "CREATE STAGE STAGED URL = 's3://b/' STORAGE_INTEGRATION = REACHED",
        PIPE.format("INTAKE"),
        "CREATE SCHEMA D.HIDDEN",
        "CREATE TABLE D.HIDDEN.SECRET (A INTEGER)",
        "CREATE WAREHOUSE WH",
        "CREATE ROLE WORKER",
        "CREATE USER ANN DEFAULT_ROLE = WORKER",
        "GRANT ROLE WORKER TO USER ANN",
        "GRANT USAGE ON DATABASE D TO ROLE WORKER",
        "GRANT USAGE ON SCHEMA D.S TO ROLE WORKER",
        "GRANT USAGE ON WAREHOUSE WH TO ROLE WORKER",
    )
    yield opened
    opened.close()


@pytest.fixture
def anyone(instance):
    """The session of a user with one role, which may use the schema and the warehouse and nothing in it."""
    before = instance.grants.to("ROLE", "WORKER")
    yield Person(instance, user="ANN", role="WORKER", warehouse="WH", secondary_roles=("ALL",))
    now = instance.grants.to("ROLE", "WORKER")
    instance.grants.revoke(now)
    instance.grants.grant(before)


# --- each statement and the privilege that it needs -------------------------------------------------------------------

NEEDS = [
    # statement, the grants that make it work, what it raises without the last of them
    ("SELECT * FROM T", ["SELECT ON TABLE T"], MISSING),
    ("SELECT * FROM T", ["INSERT ON TABLE T", "SELECT ON TABLE T"], INSUFFICIENT),
    ("SELECT * FROM V", ["SELECT ON VIEW V"], MISSING),
    ("SELECT * FROM NEW_ROWS", ["SELECT ON TABLE T", "SELECT ON STREAM NEW_ROWS"], MISSING),
    ("SELECT * FROM NEW_ROWS", ["SELECT ON STREAM NEW_ROWS", "SELECT ON TABLE T"], MISSING),
    ("SELECT 1 WHERE EXISTS (SELECT 1 FROM T)", ["SELECT ON TABLE T"], MISSING),
    ("WITH V AS (SELECT 1 AS A) SELECT T.A FROM T JOIN V ON V.A = T.A", ["SELECT ON TABLE T"], MISSING),
    ("WITH V AS (SELECT * FROM V) SELECT * FROM V", ["SELECT ON VIEW V"], MISSING),
    ("SELECT * FROM IDENTIFIER('T')", ["SELECT ON TABLE T"], MISSING),
    ("SELECT NUMBERS.NEXTVAL", ["USAGE ON SEQUENCE NUMBERS"], MISSING),
    ("INSERT INTO T VALUES (1)", ["INSERT ON TABLE T"], MISSING),
    ("INSERT INTO T SELECT A FROM T", ["INSERT ON TABLE T", "SELECT ON TABLE T"], INSUFFICIENT),
    ("INSERT OVERWRITE INTO T SELECT 1", ["INSERT ON TABLE T", "DELETE ON TABLE T"], INSUFFICIENT),
    ("UPDATE T SET A = 1", ["SELECT ON TABLE T", "UPDATE ON TABLE T"], INSUFFICIENT),
    ("DELETE FROM T", ["DELETE ON TABLE T"], MISSING),
    ("DELETE FROM T WHERE A = 1", ["DELETE ON TABLE T", "SELECT ON TABLE T"], INSUFFICIENT),
    ("TRUNCATE TABLE T", ["DELETE ON TABLE T", "TRUNCATE ON TABLE T"], INSUFFICIENT),
    (
        "MERGE INTO T USING V ON T.A = V.A WHEN MATCHED THEN UPDATE SET A = 2 WHEN NOT MATCHED THEN INSERT VALUES (1)",
        ["SELECT ON VIEW V", "SELECT, INSERT ON TABLE T", "UPDATE ON TABLE T"],
        INSUFFICIENT,
    ),
    (
        "MERGE INTO T USING V ON T.A = V.A WHEN MATCHED THEN DELETE",
        ["SELECT ON VIEW V", "SELECT, INSERT, UPDATE ON TABLE T", "DELETE ON TABLE T"],
        INSUFFICIENT,
    ),
    ("DESCRIBE TABLE T", ["SELECT ON TABLE T"], MISSING),
    ("CREATE OR REPLACE TEMPORARY TABLE MINE (A INTEGER)", ["USAGE ON SCHEMA S"], MISSING),
    ("CREATE TABLE OURS (A INTEGER)", ["CREATE TABLE ON SCHEMA S"], INSUFFICIENT),
    ("CREATE TABLE COPIED AS SELECT A FROM T", ["CREATE TABLE ON SCHEMA S", "SELECT ON TABLE T"], MISSING),
    ("CREATE VIEW SEEN AS SELECT A FROM T", ["SELECT ON TABLE T", "CREATE VIEW ON SCHEMA S"], INSUFFICIENT),
    ("CREATE SEQUENCE MORE", ["CREATE SEQUENCE ON SCHEMA S"], INSUFFICIENT),
    ("CREATE FILE FORMAT F TYPE = JSON", ["CREATE FILE FORMAT ON SCHEMA S"], INSUFFICIENT),
    (
        "CREATE STREAM ST ON TABLE T APPEND_ONLY = TRUE",
        ["CREATE STREAM ON SCHEMA S", "SELECT ON TABLE T"],
        MISSING,
    ),
    (
        "CREATE STAGE SG URL = 's3://b/' STORAGE_INTEGRATION = REACHED FILE_FORMAT = (FORMAT_NAME = 'LINES')",
        ["CREATE STAGE ON SCHEMA S", "USAGE ON FILE FORMAT LINES", "USAGE ON INTEGRATION REACHED"],
        MISSING,
    ),
    (
        PIPE.format("P"),
        ["CREATE PIPE ON SCHEMA S", "USAGE ON FILE FORMAT LINES", "USAGE ON STAGE STAGED", "SELECT ON TABLE T",
         "INSERT ON TABLE T"],
        INSUFFICIENT,
    ),
    ("CREATE SCHEMA D.S2", ["CREATE SCHEMA ON DATABASE D"], INSUFFICIENT),
    ("CREATE DATABASE D2", ["CREATE DATABASE ON ACCOUNT"], INSUFFICIENT),
    ("CREATE WAREHOUSE W2", ["CREATE WAREHOUSE ON ACCOUNT"], INSUFFICIENT),
    ("CREATE ROLE R2", ["CREATE ROLE ON ACCOUNT"], INSUFFICIENT),
    ("CREATE USER U2", ["CREATE USER ON ACCOUNT"], INSUFFICIENT),
    (INTEGRATION.format("I2"), ["CREATE INTEGRATION ON ACCOUNT"], INSUFFICIENT),
    ("DESC INTEGRATION REACHED", ["USAGE ON INTEGRATION REACHED"], MISSING),
    ("ALTER WAREHOUSE WH SET AUTO_SUSPEND = 60", ["MODIFY ON WAREHOUSE WH"], INSUFFICIENT),
    ("ALTER WAREHOUSE WH SUSPEND", ["OPERATE ON WAREHOUSE WH"], INSUFFICIENT),
    ("ALTER PIPE INTAKE SET PIPE_EXECUTION_PAUSED = FALSE", ["MONITOR ON PIPE INTAKE", "OPERATE ON PIPE INTAKE"],
     INSUFFICIENT),
    ("DESC PIPE INTAKE", ["MONITOR ON PIPE INTAKE"], MISSING),
    ("SELECT SYSTEM$PIPE_STATUS('INTAKE')", ["MONITOR ON PIPE INTAKE"], MISSING),
    ("SELECT SYSTEM$STREAM_HAS_DATA('NEW_ROWS')", ["SELECT ON STREAM NEW_ROWS"], MISSING),
    (
        "SELECT * FROM TABLE(INFORMATION_SCHEMA.COPY_HISTORY(TABLE_NAME => 'T', START_TIME => CURRENT_TIMESTAMP()))",
        ["SELECT ON TABLE T"],
        MISSING,
    ),
    ("SELECT * FROM TABLE(VALIDATE(D.S.T, JOB_ID => 'x'))", ["SELECT ON TABLE T"], MISSING),
    (
        "SELECT * FROM TABLE(INFORMATION_SCHEMA.WAREHOUSE_METERING_HISTORY(CURRENT_DATE()))",
        ["MONITOR USAGE ON ACCOUNT"],
        INSUFFICIENT,
    ),
    ("SELECT * FROM TABLE(INFORMATION_SCHEMA.PIPE_USAGE_HISTORY())", ["MONITOR USAGE ON ACCOUNT"], INSUFFICIENT),
    ("SELECT * FROM TABLE(INFORMATION_SCHEMA.LOCAL_METER())", ["MONITOR USAGE ON ACCOUNT"], INSUFFICIENT),
    ("SHOW PARAMETERS IN TABLE D.S.T", ["SELECT ON TABLE T"], MISSING),
    ("SHOW PARAMETERS IN WAREHOUSE COMPUTE_WH", ["USAGE ON WAREHOUSE COMPUTE_WH"], MISSING),
    ("USE SCHEMA D.HIDDEN", ["USAGE ON SCHEMA D.HIDDEN"], MISSING),
    ("USE WAREHOUSE COMPUTE_WH", ["USAGE ON WAREHOUSE COMPUTE_WH"], MISSING),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "grants", "without"), NEEDS, ids=[f"{s} / {g[-1]}" for s, g, _ in NEEDS])
def test_a_statement_needs_its_privileges_and_no_more(instance, admin, anyone, statement, grants, without):
    """A session of an owner would need none of this."""
    if grants[-1] == "USAGE ON SCHEMA S":
        admin.rows("REVOKE USAGE ON SCHEMA D.S FROM ROLE WORKER")
    *others, last = (f"GRANT {grant} TO ROLE WORKER" for grant in grants)
    admin.rows(*others) if others else None
    assert anyone.refusal(statement) == without
    admin.rows(last)
    anyone.rows(statement)
    if statement.startswith(("CREATE", "COPY")) and "TEMPORARY" not in statement:
        words = [word for word in statement.split() if word != "STORAGE"]
        kind, name = (" ".join(words[1:3]), words[3]) if words[1] == "FILE" else (words[1], words[2])
        anyone.rows(f"DROP {kind} {name}")


OWNERS = [
    "DROP TABLE T",
    "DROP VIEW V",
    "DROP STREAM NEW_ROWS",
    "DROP PIPE INTAKE",
    "DROP STAGE STAGED",
    "DROP SCHEMA D.S",
    "DROP DATABASE D",
    "DROP WAREHOUSE WH",
    "DROP INTEGRATION REACHED",
    "DROP ROLE WORKER",
    "ALTER TABLE T ADD COLUMN B INTEGER",
    "ALTER TABLE T RENAME TO T3",
    "ALTER TABLE T SET DATA_RETENTION_TIME_IN_DAYS = 3",
    "ALTER STREAM NEW_ROWS SET COMMENT = 'x'",
    "COMMENT ON TABLE T IS 'x'",
    "COMMENT ON COLUMN T.A IS 'x'",
    "CREATE OR REPLACE TABLE T (A INTEGER)",
    "CREATE OR REPLACE VIEW V AS SELECT 1 AS A",
    "CREATE OR REPLACE STREAM NEW_ROWS ON TABLE T APPEND_ONLY = TRUE",
    "GRANT SELECT ON TABLE T TO ROLE PUBLIC",
    "GRANT ROLE WORKER TO ROLE PUBLIC",
]


def test_only_an_owner_changes_drops_replaces_or_grants(admin, anyone):
    admin.rows(
        "GRANT ALL ON SCHEMA D.S TO ROLE WORKER",
        "GRANT ALL ON DATABASE D TO ROLE WORKER",
        "GRANT ALL ON WAREHOUSE WH TO ROLE WORKER",
        "GRANT USAGE ON INTEGRATION REACHED TO ROLE WORKER",
        "GRANT ALL ON PIPE INTAKE TO ROLE WORKER",
        "GRANT ALL ON STAGE STAGED TO ROLE WORKER",
        "GRANT ALL ON ALL TABLES IN SCHEMA D.S TO ROLE WORKER",
        "GRANT ALL ON ALL VIEWS IN SCHEMA D.S TO ROLE WORKER",
        "GRANT SELECT ON ALL STREAMS IN DATABASE D TO ROLE WORKER",
    )
    refusals = {statement: anyone.refusal(statement) for statement in OWNERS}
    assert {statement for statement, errno in refusals.items() if errno == MISSING} == {"DROP ROLE WORKER"}
    assert set(refusals.values()) == {INSUFFICIENT, MISSING}
    assert anyone.rows("SELECT COUNT(*) FROM T") == admin.rows("SELECT COUNT(*) FROM T")


# --- what a role sees -------------------------------------------------------------------------------------------------


def test_what_a_role_may_not_see_is_missing_and_show_leaves_it_out(admin, anyone):
    for statement in ("SELECT * FROM D.HIDDEN.SECRET", "SELECT * FROM NO_DATABASE.S.T", "DROP TABLE T",
                      "GRANT SELECT ON TABLE T TO ROLE WORKER"):  # fmt: skip
        assert anyone.refusal(statement) == MISSING
    anyone.rows("DROP TABLE IF EXISTS T")
    assert admin.column("SHOW TABLES IN SCHEMA D.S", "name")
    assert anyone.column("SHOW TABLES", "name") == []
    assert anyone.column("SHOW PIPES", "name") == []
    assert anyone.column("SHOW SCHEMAS IN DATABASE D", "name") == ["S"]
    assert anyone.column("SHOW WAREHOUSES", "name") == ["WH"]
    assert anyone.column("SHOW USERS", "name") == ["ANN"]
    admin.rows("GRANT SELECT ON TABLE T TO ROLE WORKER")
    assert anyone.column("SHOW TABLES", "name") == ["T"]
    assert anyone.column("SHOW TABLES", "owner") == ["ACCOUNTADMIN"]


def test_a_query_needs_a_warehouse_that_the_role_may_use(admin, anyone):
    admin.rows("GRANT SELECT, INSERT ON TABLE T TO ROLE WORKER", "REVOKE USAGE ON WAREHOUSE WH FROM ROLE WORKER")
    assert anyone.refusal("SELECT * FROM T") == NO_WAREHOUSE
    assert anyone.refusal("INSERT INTO T VALUES (1)") == NO_WAREHOUSE
    assert anyone.rows("SELECT CURRENT_WAREHOUSE()") == [("WH",)]


# --- beside the privileges --------------------------------------------------------------------------------------------

SYNTAX, NOT_HONOURED, UNKNOWN, UNKNOWN_TABLE_FUNCTION = 1003, 2, 2140, 2143
ONLY_DUCKDB_HAS = [
    ("SELECT * FROM QUERY('SELECT * FROM D.HIDDEN.SECRET')", SYNTAX),
    ("SELECT * FROM QUERY_TABLE('D.HIDDEN.SECRET')", SYNTAX),
    ("SELECT * FROM TABLE(QUERY_TABLE('D.HIDDEN.SECRET'))", UNKNOWN_TABLE_FUNCTION),
    ("SELECT * FROM (VALUES (1)), LATERAL READ_TEXT('/etc/hostname')", SYNTAX),
    ("SELECT * FROM READ_TEXT('/etc/hostname')", SYNTAX),
    ("SELECT * FROM D.S.READ_CSV('/etc/hostname')", SYNTAX),
    ("INSERT INTO MINE SELECT 1 FROM READ_TEXT('/etc/hostname')", SYNTAX),
    ("CREATE TABLE READ AS SELECT * FROM READ_TEXT('/etc/hostname')", SYNTAX),
    ("CREATE VIEW READ AS SELECT * FROM READ_TEXT('/etc/hostname')", SYNTAX),
    ("FROM '/etc/hostname'", SYNTAX),
    ('SELECT * FROM "/etc/hostname"', MISSING),
    ("SELECT * FROM DUCKDB_TABLES()", SYNTAX),
    ("SELECT * FROM DUCKDB_TABLES", MISSING),
    ("SELECT * FROM D.OWN.DUCKDB_DATABASES", MISSING),
    ("DESCRIBE SELECT * FROM D.HIDDEN.SECRET", NOT_HONOURED),
    ("PRAGMA database_list", NOT_HONOURED),
    ("SELECT CURRENT_SETTING('temp_directory')", UNKNOWN),
    ("SELECT NEXTVAL('D.S.NUMBERS')", UNKNOWN),
    ("SELECT LIST_SUM(ARRAY_CONSTRUCT(1))", UNKNOWN),
    ("SELECT NO_SUCH_FUNCTION(1)", UNKNOWN),
]


@pytest.mark.parametrize(("statement", "errno"), ONLY_DUCKDB_HAS)
def test_nobody_reads_around_the_privileges_with_what_only_duckdb_has(admin, anyone, statement, errno):
    """Not even in a schema of one's own, where every name could be that of a table of one's own."""
    admin.rows("CREATE SCHEMA D.OWN", "GRANT OWNERSHIP ON SCHEMA D.OWN TO ROLE WORKER")
    anyone.rows("USE SCHEMA D.OWN", "CREATE TABLE MINE (A INTEGER)")
    assert anyone.refusal(statement) == errno
    anyone.rows("DROP SCHEMA D.OWN")


@pytest.mark.parametrize("role", ["SYSADMIN", "ACCOUNTADMIN"])
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM {}",
        "UPDATE {} SET \"name\" = 'X'",
        "DELETE FROM {}",
        "DROP TABLE {}",
        "DESC TABLE {}",
        "CREATE TABLE D.S.COPIED CLONE {}",
        "GRANT SELECT ON TABLE {} TO ROLE PUBLIC",
    ],
)
@pytest.mark.parametrize(
    "table",
    [
        '"_fs_global"."_fs_information_schema"."objects"',
        '"_FS_GLOBAL"."_fs_information_schema"."objects"',
        'D."_fs_information_schema"."streams"',
        'D."_FS_INFORMATION_SCHEMA"."streams"',
        "SYSTEM.MAIN.DUCKDB_TABLES",
        "MEMORY.MAIN.DUCKDB_TABLES",
    ],
)
def test_the_tables_of_the_server_itself_exist_for_nobody(instance, role, statement, table):
    assert Person(instance, role=role).refusal(statement.format(table)) == MISSING


def test_nobody_uses_a_schema_of_the_server_itself(admin):
    assert admin.refusal('USE SCHEMA "_fs_global"."_fs_information_schema"') == MISSING
    assert admin.refusal('USE SCHEMA D."_fs_information_schema"') == MISSING
    assert admin.refusal("USE DATABASE MEMORY") == MISSING


# --- roles of a session -----------------------------------------------------------------------------------------------


def test_roles_inherit_and_secondary_roles_add(admin, anyone):
    admin.rows(
        "CREATE ROLE READS",
        "CREATE ROLE EXTRA",
        "GRANT SELECT ON TABLE T TO ROLE READS",
        "GRANT CREATE TABLE ON SCHEMA D.S TO ROLE EXTRA",
        "GRANT INSERT ON TABLE T TO ROLE EXTRA",
        "GRANT ROLE READS TO ROLE WORKER",
        "GRANT ROLE EXTRA TO USER ANN",
    )
    anyone.rows("SELECT * FROM T", "INSERT INTO T VALUES (1)")
    assert anyone.refusal("CREATE TABLE X (A INTEGER)") == INSUFFICIENT, "the primary role creates"
    assert json.loads(anyone.rows("SELECT CURRENT_SECONDARY_ROLES()")[0][0]) == {"roles": "EXTRA", "value": "ALL"}
    anyone.rows("USE SECONDARY ROLES NONE", "SELECT * FROM T")
    assert anyone.refusal("INSERT INTO T VALUES (1)") == INSUFFICIENT
    assert anyone.rows("SELECT IS_ROLE_IN_SESSION('READS'), IS_ROLE_IN_SESSION('EXTRA')") == [(True, False)]
    available = json.loads(anyone.rows("SELECT CURRENT_AVAILABLE_ROLES()")[0][0])
    assert available == ["EXTRA", "PUBLIC", "READS", "WORKER"]
    anyone.rows("USE ROLE EXTRA")
    assert anyone.rows("SELECT CURRENT_ROLE()") == [("EXTRA",)]
    anyone.rows("USE ROLE WORKER", "USE SECONDARY ROLES EXTRA", "INSERT INTO T VALUES (1)")
    admin.rows("REVOKE ROLE EXTRA FROM USER ANN")
    assert anyone.refusal("USE ROLE EXTRA") == 3013
    assert anyone.refusal("USE ROLE NO_SUCH") == 2043
    assert anyone.refusal("USE ROLE ACCOUNTADMIN") == 3013
    assert admin.refusal("GRANT ROLE WORKER TO ROLE READS") == 3010, "a circle"
    admin.rows("DROP ROLE READS", "DROP ROLE EXTRA")


def test_a_new_account_has_the_system_roles(admin):
    assert admin.column("SHOW ROLES LIKE '%ADMIN'", "name") == [
        "ACCOUNTADMIN",
        "SECURITYADMIN",
        "SYSADMIN",
        "USERADMIN",
    ]
    assert admin.column("SHOW GRANTS OF ROLE SYSADMIN", "grantee_name") == ["ACCOUNTADMIN"]
    assert admin.column("SHOW GRANTS OF ROLE USERADMIN", "grantee_name") == ["SECURITYADMIN"]
    assert admin.column("SHOW GRANTS TO USER ADMIN", "role") == ["ACCOUNTADMIN"]
    admin.rows("USE ROLE SYSADMIN")
    for statement in ("CREATE ROLE R2", "CREATE USER U2", INTEGRATION.format("I2"), "SELECT * FROM D.S.T"):
        assert admin.refusal(statement) in (INSUFFICIENT, MISSING)
    admin.rows("USE ROLE USERADMIN", "CREATE ROLE R2", "GRANT ROLE R2 TO ROLE SYSADMIN", "DROP ROLE R2")
    assert admin.refusal("GRANT SELECT ON TABLE D.S.T TO ROLE SYSADMIN") == MISSING
    admin.rows("USE ROLE SECURITYADMIN", "GRANT SELECT ON TABLE D.S.T TO ROLE PUBLIC",
               "REVOKE SELECT ON TABLE D.S.T FROM ROLE PUBLIC", "USE ROLE ACCOUNTADMIN")  # fmt: skip
    for statement in ("DROP ROLE SYSADMIN", "CREATE OR REPLACE ROLE PUBLIC", "DROP USER ADMIN"):
        assert admin.refusal(statement) == INSUFFICIENT


# --- owners and grants ------------------------------------------------------------------------------------------------


def test_the_creator_owns_and_what_is_replaced_loses_its_grants(admin, anyone):
    admin.rows("GRANT CREATE TABLE, CREATE VIEW ON SCHEMA D.S TO ROLE WORKER")
    anyone.rows("CREATE TABLE OURS (A INTEGER)", "GRANT SELECT ON TABLE OURS TO ROLE PUBLIC")
    assert anyone.column("SHOW GRANTS ON TABLE OURS", "privilege") == ["OWNERSHIP", "SELECT"]
    anyone.rows("ALTER TABLE OURS RENAME TO HERS", "CREATE TABLE IF NOT EXISTS HERS (A INTEGER)")
    assert anyone.column("SHOW GRANTS ON TABLE HERS", "grantee_name") == ["WORKER", "PUBLIC"]
    anyone.rows("CREATE OR REPLACE TABLE HERS (A INTEGER)")
    assert anyone.column("SHOW GRANTS ON TABLE HERS", "privilege") == ["OWNERSHIP"]
    anyone.rows("CREATE VIEW HER_VIEW AS SELECT * FROM HERS", "GRANT SELECT ON VIEW HER_VIEW TO ROLE PUBLIC")
    anyone.rows("CREATE OR REPLACE VIEW HER_VIEW COPY GRANTS AS SELECT 2 AS A")
    assert anyone.column("SHOW GRANTS ON VIEW HER_VIEW", "grantee_name") == ["WORKER", "PUBLIC"]
    anyone.rows("DROP VIEW HER_VIEW", "DROP TABLE HERS", "CREATE TABLE HERS (A INTEGER)")
    assert anyone.column("SHOW GRANTS ON TABLE HERS", "privilege") == ["OWNERSHIP"]
    anyone.rows("DROP TABLE HERS")


def test_ownership_is_given_with_or_without_the_grants(admin, anyone):
    admin.rows("CREATE TABLE GIVEN (A INTEGER)", "GRANT SELECT ON TABLE GIVEN TO ROLE PUBLIC")
    assert admin.refusal("GRANT OWNERSHIP ON TABLE GIVEN TO ROLE WORKER") == 3036
    admin.rows("GRANT OWNERSHIP ON TABLE GIVEN TO ROLE WORKER COPY CURRENT GRANTS")
    assert anyone.column("SHOW GRANTS ON TABLE GIVEN", "grantee_name") == ["WORKER", "PUBLIC"]
    anyone.rows("INSERT INTO GIVEN VALUES (1)")
    assert admin.refusal("INSERT INTO GIVEN VALUES (1)") == INSUFFICIENT
    admin.rows("GRANT OWNERSHIP ON TABLE GIVEN TO ROLE ACCOUNTADMIN REVOKE CURRENT GRANTS")
    assert anyone.refusal("SELECT * FROM GIVEN") == MISSING
    admin.rows("DROP TABLE GIVEN")


def test_future_grants_apply_to_what_is_created_later(admin, anyone):
    admin.rows("GRANT SELECT ON FUTURE TABLES IN SCHEMA D.S TO ROLE WORKER", "CREATE TABLE LATER (A INTEGER)")
    assert anyone.rows("SELECT * FROM LATER") == []
    assert anyone.refusal("SELECT * FROM T") == MISSING
    assert admin.column("SHOW FUTURE GRANTS IN SCHEMA D.S", "name") == ["D.S.<TABLE>"]
    assert admin.column("SHOW FUTURE GRANTS TO ROLE WORKER", "privilege") == ["SELECT"]
    admin.rows(
        "REVOKE SELECT ON FUTURE TABLES IN SCHEMA D.S FROM ROLE WORKER", "CREATE OR REPLACE TABLE LATER (A INTEGER)"
    )
    assert anyone.refusal("SELECT * FROM LATER") == MISSING
    admin.rows("DROP TABLE LATER")


def test_grant_option_passes_on_and_can_be_taken_back(admin, anyone):
    admin.rows("GRANT SELECT ON TABLE T TO ROLE WORKER WITH GRANT OPTION")
    anyone.rows("GRANT SELECT ON TABLE T TO ROLE PUBLIC", "REVOKE SELECT ON TABLE T FROM ROLE PUBLIC")
    assert anyone.refusal("GRANT INSERT ON TABLE T TO ROLE PUBLIC") == INSUFFICIENT
    admin.rows("REVOKE GRANT OPTION FOR SELECT ON TABLE T FROM ROLE WORKER")
    assert anyone.refusal("GRANT SELECT ON TABLE T TO ROLE PUBLIC") == INSUFFICIENT
    anyone.rows("SELECT * FROM T")


@pytest.mark.parametrize(
    ("statement", "errno"),
    [
        ("GRANT SELEKT ON TABLE T TO ROLE PUBLIC", 3008),
        ("GRANT INSERT ON VIEW V TO ROLE PUBLIC", 3008),
        ("GRANT SELECT ON TABLE NO_SUCH TO ROLE PUBLIC", MISSING),
        ("GRANT SELECT ON TABLE T TO ROLE NO_SUCH", MISSING),
        ("GRANT ROLE NO_SUCH TO ROLE PUBLIC", MISSING),
        ("GRANT ROLE PUBLIC TO USER NO_SUCH", MISSING),
        ("SHOW GRANTS TO ROLE NO_SUCH", MISSING),
        ("GRANT SELECT ON T TO ROLE PUBLIC", 1003),
        ("CREATE USER U2 TYPE = SERVICE PASSWORD = 'x'", 1008),
        ("CREATE USER U2 RSA_PUBLIC_KEY = 'x'", 394304),
        ("CREATE USER U2 TYPE = ROBOT", 1008),
        ("ALTER USER NO_SUCH SET COMMENT = 'x'", MISSING),
    ],
)
def test_grants_and_users_that_make_no_sense_are_refused(admin, statement, errno):
    assert admin.refusal(statement) == errno


def test_a_role_or_user_that_is_replaced_has_nothing_of_the_old_one(admin):
    admin.rows(
        "CREATE ROLE OLD", "CREATE USER EVE", "GRANT ROLE OLD TO USER EVE", "GRANT SELECT ON TABLE T TO ROLE OLD"
    )
    admin.rows("CREATE OR REPLACE ROLE OLD")
    assert admin.rows("SHOW GRANTS TO ROLE OLD") == admin.rows("SHOW GRANTS OF ROLE OLD") == []
    admin.rows("GRANT ROLE OLD TO USER EVE", "CREATE OR REPLACE USER EVE")
    assert admin.rows("SHOW GRANTS TO USER EVE") == []
    assert admin.column("SHOW GRANTS ON ROLE OLD", "privilege") == ["OWNERSHIP"]
    admin.rows("DROP ROLE OLD", "DROP USER EVE")


# --- statements of others ---------------------------------------------------------------------------------------------

HISTORY = "SELECT QUERY_TEXT FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY(RESULT_LIMIT => 10000))"


def test_only_accountadmin_gives_a_warehouse_its_resource_monitor(admin, anyone):
    admin.rows(
        "CREATE RESOURCE MONITOR LIMITED WITH CREDIT_QUOTA = 10", "GRANT CREATE WAREHOUSE ON ACCOUNT TO ROLE WORKER"
    )
    admin.rows("GRANT MODIFY ON WAREHOUSE WH TO ROLE WORKER")
    assert anyone.refusal("ALTER WAREHOUSE WH SET RESOURCE_MONITOR = LIMITED") == INSUFFICIENT
    assert anyone.refusal("CREATE WAREHOUSE W2 RESOURCE_MONITOR = LIMITED") == INSUFFICIENT
    admin.rows("CREATE WAREHOUSE W2 RESOURCE_MONITOR = LIMITED", "DROP WAREHOUSE W2", "DROP RESOURCE MONITOR LIMITED")


@pytest.mark.parametrize("privilege", ["MONITOR", "OPERATE"])
def test_the_history_has_ones_own_statements_and_those_of_warehouses_that_one_watches(admin, anyone, privilege):
    admin.rows("USE WAREHOUSE WH", f"SELECT 'of ADMIN, {privilege}'")
    anyone.rows(f"SELECT 'of ANN, {privilege}'")
    of_both = {f"SELECT 'of ADMIN, {privilege}'", f"SELECT 'of ANN, {privilege}'"}
    assert of_both & {text for (text,) in anyone.rows(HISTORY)} == {f"SELECT 'of ANN, {privilege}'"}
    assert of_both <= {text for (text,) in admin.rows(HISTORY)}
    admin.rows(f"GRANT {privilege} ON WAREHOUSE WH TO ROLE WORKER")
    assert of_both <= {text for (text,) in anyone.rows(HISTORY)}


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE USER BOB PASSWORD = 'top''secret' COMMENT = 'x'",
        "/* a */ alter user BOB set password='top''secret', comment = 'x'",
        "ALTER USER BOB SET PASSWORD = $$top''secret$$ COMMENT = 'x'",
        "CREATE OR REPLACE USER BOB COMMENT = 'x' PASSWORD = 'top''secret'",
    ],
)
def test_the_text_that_is_kept_of_a_statement_has_no_password(instance, admin, statement):
    query = admin.session.query(statement)
    instance.queries.end(query)
    ((text,),) = admin.rows(HISTORY)[1:2]
    assert "secret" not in text
    assert "PASSWORD" in text.upper()
    assert "'x'" in text


def test_a_statement_is_stopped_by_its_user_and_by_who_operates_its_warehouse(instance, admin, anyone):
    admin.rows("USE WAREHOUSE WH")
    others = admin.session.query("SELECT 1")
    cancel = f"SELECT SYSTEM$CANCEL_QUERY('{others.id}')"
    cancel_all = f"SELECT SYSTEM$CANCEL_ALL_QUERIES({others.sender.session})"
    admin.rows("GRANT MONITOR ON WAREHOUSE WH TO ROLE WORKER")
    assert (anyone.refusal(cancel), anyone.refusal(cancel_all)) == (INSUFFICIENT, INSUFFICIENT)
    assert anyone.refusal(f"SELECT SYSTEM$ABORT_SESSION({others.sender.session})") == MISSING
    admin.rows("GRANT OPERATE ON WAREHOUSE WH TO ROLE WORKER")
    assert anyone.rows(cancel) == [(f"query [{others.id}] terminated.",)]
    instance.queries.end(others)
    mine = anyone.session.query("SELECT 1")
    another = Person(instance, user="ANN", role="PUBLIC", warehouse=None)
    assert another.rows(f"SELECT SYSTEM$CANCEL_QUERY('{mine.id}')") == [(f"query [{mine.id}] terminated.",)]
    instance.queries.end(mine)
    assert another.rows(f"SELECT SYSTEM$ABORT_SESSION({mine.sender.session})")


def test_a_result_is_scanned_by_its_user_alone(instance, admin, anyone):
    query = anyone.session.query("SELECT 42", asynchronous=True)
    anyone.session.execute("SELECT 42", query=query)
    scan = f"SELECT * FROM TABLE(RESULT_SCAN('{query.id}'))"
    assert anyone.rows(scan) == [(42,)]
    assert admin.refusal(scan) == 709


def test_grants_commit_by_themselves_and_survive_a_restart(tmp_path):
    first = Instance(tmp_path)
    admin = Person(first, database=None, schema=None)
    admin.rows("CREATE DATABASE D", "CREATE SCHEMA D.S", "CREATE TABLE T (A INTEGER)", "CREATE ROLE R",
               "CREATE USER U DEFAULT_ROLE = R COMMENT = 'a'", "BEGIN", "INSERT INTO T VALUES (1)",
               "GRANT SELECT ON TABLE T TO ROLE R", "ROLLBACK", "GRANT ROLE R TO USER U",
               "ALTER USER U SET COMMENT = 'b', DISABLED = TRUE", "ALTER USER U UNSET DEFAULT_ROLE")  # fmt: skip
    first.close()
    second = Instance(tmp_path)
    admin = Person(second)
    assert admin.rows("SELECT * FROM T") == [(1,)], "a GRANT commits the open transaction"
    assert admin.column("SHOW GRANTS TO ROLE R", "name") == ["D.S.T"]
    assert admin.column("SHOW GRANTS OF ROLE R", "grantee_name") == ["U"]
    described = {row[0]: row[1] for row in admin.rows("DESC USER U")}
    assert (described["COMMENT"], described["DISABLED"], described["DEFAULT_ROLE"]) == ("b", "true", "")
    admin.rows("DROP ROLE R", "CREATE ROLE R")
    assert admin.rows("SHOW GRANTS TO ROLE R") == admin.rows("SHOW GRANTS OF ROLE R") == []
    second.close()
