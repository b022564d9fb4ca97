"""Masking policies, secure views, tags, and policies of a login: what each role then sees and may do."""

from __future__ import annotations

from datetime import datetime

import pytest

from include.local.snowflake import logins
from include.local.snowflake.errors import SnowflakeError
from include.local.snowflake.instance import Instance
from tests.local_snowflake.person import Person

pytestmark = pytest.mark.unit

MISSING, INSUFFICIENT, UNSUPPORTED = 2003, 3001, 2
POLICY = (
    "CREATE MASKING POLICY EXACT AS (VAL FLOAT) RETURNS FLOAT ->"
    " CASE WHEN IS_ROLE_IN_SESSION('DRIVER') THEN VAL ELSE NULL END COMMENT = 'exact positions'"
)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("policies")


@pytest.fixture(scope="module")
def instance(directory):
    opened = Instance(directory)
    admin = Person(opened, "ACCOUNTADMIN", database=None, schema=None)
    admin.rows("CREATE DATABASE D", "CREATE SCHEMA D.S")
    for role in ("DRIVER", "GUEST"):
        admin.rows(
            f"CREATE ROLE {role}",
            f"GRANT USAGE ON DATABASE D TO ROLE {role}",
            f"GRANT USAGE ON SCHEMA D.S TO ROLE {role}",
            f"GRANT USAGE ON WAREHOUSE COMPUTE_WH TO ROLE {role}",
        )
    admin.rows(
        "CREATE TABLE T (ID INTEGER, LAT FLOAT)",
        "INSERT INTO T VALUES (1, 48.1), (2, 52.5)",
        "CREATE VIEW V (NUMBER, PLACE) AS WITH T2 AS (SELECT ID, LAT FROM T) SELECT ID, LAT FROM T2",
        "CREATE SECURE VIEW OPEN AS SELECT V.*, LAT IS NULL AS HIDDEN FROM V JOIN T ON V.NUMBER = T.ID",
        "CREATE STREAM CHANGES ON TABLE T APPEND_ONLY = TRUE",
        POLICY,
        "ALTER TABLE T MODIFY COLUMN LAT SET MASKING POLICY EXACT",
    )
    for role in ("DRIVER", "GUEST"):
        for on in ("TABLE T", "VIEW V", "VIEW OPEN", "STREAM CHANGES"):
            admin.rows(f"GRANT SELECT ON {on} TO ROLE {role}")
        admin.rows(f"GRANT INSERT, UPDATE, DELETE ON TABLE T TO ROLE {role}")
    yield opened
    opened.close()


@pytest.fixture
def driver(instance):
    return Person(instance, "DRIVER")


@pytest.fixture
def guest(instance):
    return Person(instance, "GUEST")


# --- masking ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "exact", "masked"),
    [
        ("SELECT LAT FROM T ORDER BY ID", [(48.1,), (52.5,)], [(None,), (None,)]),
        ("SELECT X.LAT FROM D.S.T AS X WHERE X.LAT > 50", [(52.5,)], []),
        ("SELECT COUNT(LAT), MAX(T.LAT) FROM T", [(2, 52.5)], [(0, None)]),
        ("SELECT PLACE FROM V ORDER BY NUMBER", [(48.1,), (52.5,)], [(None,), (None,)]),
        ("SELECT PLACE, HIDDEN FROM OPEN ORDER BY NUMBER", [(48.1, False), (52.5, False)], [(None, True)] * 2),
        ("WITH T AS (SELECT 7.0 AS LAT) SELECT LAT FROM T", [(7.0,)], [(7.0,)]),
        ("SELECT (SELECT MIN(LAT) FROM T) AS LEAST_LAT", [(48.1,)], [(None,)]),
        ("SELECT A.ID FROM T A JOIN T B ON A.LAT = B.LAT ORDER BY 1", [(1,), (2,)], []),
    ],
)
def test_a_column_shows_what_its_policy_says(driver, guest, query, exact, masked):
    assert driver.rows(query) == exact
    assert guest.rows(query) == masked


def test_a_role_that_inherits_another_sees_what_that_one_sees(admin, instance):
    admin.rows("CREATE ROLE CHIEF", "GRANT ROLE DRIVER TO ROLE CHIEF")
    assert Person(instance, "CHIEF").rows("SELECT LAT FROM T ORDER BY ID") == [(48.1,), (52.5,)]
    # ACCOUNTADMIN owns the table and does not have the role.
    assert admin.rows("SELECT LAT FROM T") == [(None,), (None,)]


def test_what_is_copied_is_masked(admin, guest):
    admin.rows("GRANT CREATE TABLE ON SCHEMA D.S TO ROLE GUEST")
    guest.rows("CREATE TABLE COPIED AS SELECT * FROM T")
    guest.rows("INSERT INTO COPIED SELECT NUMBER, PLACE FROM V")
    assert guest.rows("SELECT DISTINCT LAT FROM COPIED") == [(None,)]
    assert guest.refusal("CREATE TABLE CLONED CLONE T") == UNSUPPORTED
    guest.rows("DROP TABLE COPIED")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE T SET ID = 3 WHERE LAT > 50",
        "DELETE FROM T WHERE LAT IS NULL",
        "MERGE INTO T USING (SELECT 1 AS ID) S ON T.ID = S.ID WHEN MATCHED THEN DELETE",
        "SELECT * FROM CHANGES",
    ],
)
def test_a_masked_role_does_not_change_rows_by_what_it_can_not_see(guest, statement):
    assert guest.refusal(statement) == UNSUPPORTED


def test_the_others_change_rows_as_before(driver):
    driver.rows("INSERT INTO T VALUES (3, 1.5)")
    assert driver.rows("SELECT LAT FROM CHANGES") == [(1.5,)]
    driver.rows("UPDATE T SET LAT = 2.5 WHERE LAT = 1.5")
    driver.rows("DELETE FROM T WHERE LAT = 2.5")
    assert driver.rows("SELECT COUNT(*) FROM T") == [(2,)]


def test_setting_a_policy_needs_the_table_and_the_policy(admin, instance):
    admin.rows(
        "CREATE ROLE OFFICER",
        "GRANT USAGE ON DATABASE D TO ROLE OFFICER",
        "GRANT USAGE, CREATE TABLE ON SCHEMA D.S TO ROLE OFFICER",
    )
    officer = Person(instance, "OFFICER")
    officer.rows("CREATE TABLE OWN (A FLOAT, B FLOAT)")
    setting = "ALTER TABLE OWN MODIFY COLUMN A SET MASKING POLICY EXACT, COLUMN B SET MASKING POLICY EXACT"
    assert officer.refusal(setting) == MISSING
    admin.rows("GRANT APPLY ON MASKING POLICY EXACT TO ROLE OFFICER", "GRANT SELECT ON TABLE T TO ROLE OFFICER")
    assert officer.refusal("ALTER TABLE T MODIFY COLUMN LAT UNSET MASKING POLICY") == INSUFFICIENT
    officer.rows(setting)
    assert officer.refusal(setting) == 3548
    officer.rows(setting.replace("EXACT,", "EXACT FORCE,").removesuffix("EXACT") + "EXACT FORCE")
    assert officer.refusal("ALTER TABLE OWN RENAME COLUMN A TO C") == UNSUPPORTED
    # The policy stays with the table, and goes with it.
    officer.rows("ALTER TABLE OWN RENAME TO OTHER")
    assert admin.refusal("DROP MASKING POLICY EXACT") == 3539
    officer.rows("ALTER TABLE OTHER MODIFY COLUMN A UNSET MASKING POLICY", "DROP TABLE OTHER")
    admin.rows("CREATE TABLE OTHER (A FLOAT)", "INSERT INTO OTHER VALUES (1)")
    assert admin.rows("SELECT A FROM OTHER") == [(1.0,)]


def test_a_policy_may_format_a_time(admin):
    admin.rows(
        """CREATE MASKING POLICY TO_THE_DAY AS (V TIMESTAMP_NTZ) RETURNS TIMESTAMP_NTZ ->
        CASE WHEN IS_ROLE_IN_SESSION('NOBODY') THEN V ELSE TO_CHAR(V, 'YYYY-MM-DD')::TIMESTAMP_NTZ END""",
        "CREATE TABLE MEASURED (AT TIMESTAMP_NTZ)",
        "INSERT INTO MEASURED VALUES ('2026-01-02 03:04:05')",
        "ALTER TABLE MEASURED MODIFY COLUMN AT SET MASKING POLICY TO_THE_DAY",
        "CREATE TABLE COPIED AS SELECT AT FROM MEASURED",
    )
    day = [(datetime(2026, 1, 2),)]  # noqa: DTZ001
    assert admin.rows("SELECT AT FROM MEASURED") == admin.rows("SELECT AT FROM COPIED") == day
    admin.rows("DROP TABLE COPIED", "DROP TABLE MEASURED", "DROP MASKING POLICY TO_THE_DAY")


def test_taking_a_policy_off_needs_the_policy_too(admin, instance):
    admin.rows(
        "CREATE MASKING POLICY WEAK AS (VAL FLOAT) RETURNS FLOAT -> VAL",
        "CREATE ROLE KEEPER",
        "GRANT USAGE ON DATABASE D TO ROLE KEEPER",
        "GRANT USAGE, CREATE TABLE ON SCHEMA D.S TO ROLE KEEPER",
        "GRANT APPLY ON MASKING POLICY WEAK TO ROLE KEEPER",
    )
    keeper = Person(instance, "KEEPER")
    keeper.rows("CREATE TABLE KEPT (A FLOAT)")
    unset = "ALTER TABLE KEPT MODIFY COLUMN A UNSET MASKING POLICY"
    assert keeper.refusal(unset) == 1003, "it has none: the statement is allowed, and makes no sense"
    admin.rows("ALTER TABLE KEPT MODIFY COLUMN A SET MASKING POLICY EXACT")
    assert keeper.refusal(unset) == MISSING
    assert keeper.refusal("ALTER TABLE KEPT MODIFY COLUMN A SET MASKING POLICY WEAK FORCE") == MISSING
    admin.rows("GRANT APPLY ON MASKING POLICY EXACT TO ROLE KEEPER")
    keeper.rows(unset, "DROP TABLE KEPT")
    admin.rows("DROP MASKING POLICY WEAK", "DROP ROLE KEEPER")


def test_a_new_body_holds_wherever_the_policy_is_set(admin, guest):
    (body,) = [row[3] for row in admin.rows("DESC MASKING POLICY EXACT")]
    assert guest.refusal("ALTER MASKING POLICY EXACT SET BODY -> VAL") == MISSING
    admin.rows("ALTER MASKING POLICY EXACT SET BODY -> CASE WHEN CURRENT_ROLE() IN ('GUEST', 'X') THEN ROUND(VAL) END")
    assert guest.rows("SELECT PLACE FROM V ORDER BY NUMBER") == [(48.0,), (53.0,)]
    admin.rows(f"ALTER MASKING POLICY EXACT SET BODY -> {body}")
    assert guest.rows("SELECT DISTINCT LAT FROM T") == [(None,)]


def test_policies_are_listed_and_described(admin):
    assert admin.column("SHOW MASKING POLICIES", "name") == ["EXACT"]
    assert admin.rows("DESC MASKING POLICY EXACT")[0][:2] == ("EXACT", "(VAL FLOAT)")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE MASKING POLICY P AS (A FLOAT, B FLOAT) RETURNS FLOAT -> A",
        "CREATE MASKING POLICY P AS (A FLOAT) RETURNS FLOAT -> (SELECT 1.0)",
        "CREATE MASKING POLICY P AS (A FLOAT) RETURNS FLOAT -> CASE WHEN INVOKER_ROLE() = 'X' THEN A END",
        "ALTER TABLE T MODIFY COLUMN LAT SET MASKING POLICY EXACT USING (LAT, ID)",
        "ALTER TABLE T MODIFY COLUMN LAT SET PROJECTION POLICY EXACT",
    ],
)
def test_what_masking_can_not_do_is_refused(admin, statement):
    assert admin.refusal(statement) == UNSUPPORTED


def test_policies_outlive_the_process(tmp_path):
    first = Instance(tmp_path)
    Person(first, "ACCOUNTADMIN", database=None, schema=None).rows(
        "CREATE DATABASE D", "CREATE SCHEMA D.S", "CREATE TABLE T (LAT FLOAT)", "INSERT INTO T VALUES (1)",
        "CREATE VIEW V AS SELECT LAT FROM T", POLICY, "ALTER TABLE T MODIFY COLUMN LAT SET MASKING POLICY EXACT",
    )  # fmt: skip
    first.close()
    second = Instance(tmp_path)
    assert Person(second, "ACCOUNTADMIN").rows("SELECT LAT FROM V") == [(None,)]
    second.close()


# --- secure views -----------------------------------------------------------------------------------------------------


def test_a_secure_view_hides_its_text(admin, guest):
    def shown(person, name):
        row = {each[1]: each for each in person.rows("SHOW VIEWS IN SCHEMA D.S")}[name]
        return "select" in str(row).lower(), True in row

    def listed(person, name):
        return person.rows(
            f"SELECT VIEW_DEFINITION IS NOT NULL, IS_SECURE FROM INFORMATION_SCHEMA.VIEWS WHERE TABLE_NAME = '{name}'"
        )

    assert shown(admin, "OPEN") == (True, True)
    assert shown(guest, "OPEN") == (False, True)
    assert shown(guest, "V") == (True, False)
    assert listed(admin, "OPEN") == [(True, "YES")]
    assert listed(guest, "OPEN") == [(False, "YES")]
    assert listed(guest, "V") == [(True, "NO")]
    admin.rows("ALTER VIEW V SET SECURE")
    assert listed(guest, "V") == [(False, "YES")]
    assert guest.refusal("ALTER VIEW V UNSET SECURE") == INSUFFICIENT
    admin.rows("ALTER VIEW V UNSET SECURE")


def test_a_view_under_another_name_keeps_its_text_and_its_policies(admin, guest):
    admin.rows(
        "CREATE TAG KIND",
        "CREATE SECURE VIEW BEFORE AS SELECT ID, ID + 0.5 AS LAT FROM T",
        "GRANT SELECT ON VIEW BEFORE TO ROLE GUEST",
        "ALTER VIEW BEFORE MODIFY COLUMN LAT SET MASKING POLICY EXACT",
        "ALTER VIEW BEFORE SET TAG KIND = 'exact'",
        "ALTER VIEW BEFORE RENAME TO AFTER",
    )
    assert guest.rows("SELECT * FROM AFTER ORDER BY ID") == [(1, None), (2, None)]
    secure = "SELECT VIEW_DEFINITION IS NOT NULL, IS_SECURE FROM INFORMATION_SCHEMA.VIEWS WHERE TABLE_NAME = 'AFTER'"
    assert guest.rows(secure) == [(False, "YES")]
    assert admin.rows("SELECT SYSTEM$GET_TAG('KIND', 'AFTER', 'TABLE')") == [("exact",)]
    admin.rows("CREATE VIEW BEFORE AS SELECT ID, ID + 0.5 AS LAT FROM T")
    admin.rows("GRANT SELECT ON VIEW BEFORE TO ROLE GUEST")
    assert guest.rows("SELECT LAT FROM BEFORE ORDER BY ID") == [(1.5,), (2.5,)]
    admin.rows("DROP VIEW BEFORE", "DROP VIEW AFTER", "DROP TAG KIND")


@pytest.mark.parametrize(
    "change",
    [
        "TABLE {} SET TAG SCOPE = 'x'",
        "TABLE {} MODIFY COLUMN A SET TAG SCOPE = 'x'",
        "TABLE {} MODIFY COLUMN A SET MASKING POLICY EXACT",
        "VIEW {} SET SECURE",
        "SCHEMA {} SET TAG SCOPE = 'x'",
        "DATABASE {} UNSET TAG SCOPE",
        "STREAM {} SET COMMENT = 'x'",
    ],
)
def test_if_exists_lets_what_is_changed_be_missing(admin, change):
    admin.rows("CREATE OR REPLACE TAG SCOPE")
    kind, _, rest = change.partition(" ")
    assert admin.refusal(f"ALTER {kind} {rest.format('NONE_SUCH')}") == MISSING
    admin.rows(f"ALTER {kind} IF EXISTS {rest.format('NONE_SUCH')}")
    admin.rows("DROP TAG SCOPE")


def test_if_exists_does_not_let_the_policy_be_missing(admin):
    assert admin.refusal("ALTER TABLE IF EXISTS T SET TAG NO_SUCH_TAG = 'x'") == MISSING
    assert admin.refusal("ALTER TABLE IF EXISTS T MODIFY COLUMN ID SET MASKING POLICY NO_SUCH_POLICY") == MISSING


# --- tags -------------------------------------------------------------------------------------------------------------


def test_tags_are_read_where_they_are_set_and_below(admin, guest):
    admin.rows("CREATE TAG SENSITIVITY ALLOWED_VALUES 'position', 'open' COMMENT = 'what a column tells'")

    def tag(name, domain):
        return admin.rows(f"SELECT SYSTEM$GET_TAG('D.S.SENSITIVITY', '{name}', '{domain}')")[0][0]

    admin.rows("ALTER TABLE T MODIFY COLUMN LAT SET TAG SENSITIVITY = 'position'")
    assert (tag("T.LAT", "COLUMN"), tag("T.ID", "column"), tag("T", "TABLE")) == ("position", None, None)
    admin.rows(
        "ALTER SCHEMA D.S SET TAG SENSITIVITY = 'open'", "ALTER WAREHOUSE COMPUTE_WH SET TAG SENSITIVITY = 'open'"
    )
    assert (tag("T.LAT", "COLUMN"), tag("T.ID", "column"), tag("V", "TABLE")) == ("position", "open", "open")
    assert (tag("COMPUTE_WH", "WAREHOUSE"), tag("D", "DATABASE")) == ("open", None)
    assert admin.refusal("ALTER TABLE T SET TAG SENSITIVITY = 'other'") == 3544
    assert admin.refusal("ALTER TABLE T MODIFY COLUMN NONE_SUCH SET TAG SENSITIVITY = 'open'") == 904
    assert guest.refusal("ALTER TABLE T SET TAG SENSITIVITY = 'open'") in (MISSING, INSUFFICIENT)
    admin.rows("ALTER TABLE T MODIFY COLUMN LAT UNSET TAG SENSITIVITY", "ALTER SCHEMA D.S UNSET TAG SENSITIVITY")
    assert tag("T.LAT", "COLUMN") is None
    assert admin.column("SHOW TAGS", "allowed_values") == ['["position","open"]']
    admin.rows("DROP TAG SENSITIVITY", "CREATE TAG SENSITIVITY")
    assert tag("COMPUTE_WH", "WAREHOUSE") is None


# --- logging in -------------------------------------------------------------------------------------------------------


def log_in(instance, address="127.0.0.1"):
    sent = {"LOGIN_NAME": "ADA", "PASSWORD": "secret-of-ada"}
    with instance.cursor() as duck:
        return logins.authenticate(instance.catalog, duck, sent, address).name


def test_a_network_policy_says_from_where(admin, instance):
    admin.rows(
        "CREATE USER ADA PASSWORD = 'secret-of-ada'",
        "CREATE NETWORK POLICY OFFICE ALLOWED_IP_LIST = ('10.0.0.0/8', '127.0.0.1') BLOCKED_IP_LIST = ('10.1.0.7')",
        "ALTER USER ADA SET NETWORK_POLICY = OFFICE",
    )
    assert log_in(instance) == log_in(instance, "10.1.0.8") == "ADA"
    for address in ("10.1.0.7", "192.168.0.1"):
        with pytest.raises(SnowflakeError, match=f"IP/Token {address} is not allowed") as refused:
            log_in(instance, address)
        assert refused.value.errno == 390422
    assert admin.refusal("ALTER USER ADA SET NETWORK_POLICY = NONE_SUCH") == MISSING
    assert admin.refusal("CREATE NETWORK POLICY P ALLOWED_NETWORK_RULE_LIST = ('R')") == UNSUPPORTED
    assert admin.refusal("CREATE NETWORK POLICY P ALLOWED_IP_LIST = ('office')") == 1008
    admin.rows("ALTER USER ADA UNSET NETWORK_POLICY", "DROP NETWORK POLICY OFFICE")
    assert log_in(instance, "192.168.0.1") == "ADA"
    admin.rows("DROP USER ADA")


def test_an_authentication_policy_says_how(admin, instance):
    admin.rows(
        "CREATE USER ADA PASSWORD = 'secret-of-ada'",
        "CREATE AUTHENTICATION POLICY KEYS AUTHENTICATION_METHODS = ('KEYPAIR')",
        "ALTER USER ADA SET AUTHENTICATION POLICY KEYS",
    )
    with pytest.raises(SnowflakeError, match="rejected by the current authentication policy") as refused:
        log_in(instance)
    assert refused.value.errno == 390202
    assert admin.refusal("DROP AUTHENTICATION POLICY KEYS") == 3539
    assert admin.refusal("ALTER USER ADA SET AUTHENTICATION POLICY KEYS") == 3548
    admin.rows("ALTER USER ADA SET AUTHENTICATION POLICY KEYS FORCE")
    assert admin.refusal("CREATE AUTHENTICATION POLICY P CLIENT_TYPES = ('DRIVERS')") == UNSUPPORTED
    assert admin.rows("DESC AUTHENTICATION POLICY KEYS")[1][1] == "[KEYPAIR]"
    admin.rows("ALTER USER ADA UNSET AUTHENTICATION POLICY", "DROP AUTHENTICATION POLICY KEYS")
    assert log_in(instance) == "ADA"
    admin.rows("DROP USER ADA")
