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
def admin(instance):
    return Person(instance)


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
