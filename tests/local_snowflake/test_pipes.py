"""Snowpipe: from an object in S3 to rows, whatever happens to the notifications."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

pytestmark = pytest.mark.integration

BUCKET = "local-snowflake-tests"


def make_pipe(warehouse, copy_readings, *, create="CREATE PIPE", notify=True):
    warehouse.rows(f"{create} INTAKE AUTO_INGEST = TRUE COMMENT = 'intake' AS {copy_readings}")
    channel = describe(warehouse)["notification_channel"]
    if notify:
        notifications = warehouse.s3.get_bucket_notification_configuration(Bucket=BUCKET).get("QueueConfigurations", [])
        mine = {
            "Id": warehouse.schema,
            "QueueArn": channel,
            "Events": ["s3:ObjectCreated:*"],
            "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": warehouse.prefix}]}},
        }
        warehouse.s3.put_bucket_notification_configuration(
            Bucket=BUCKET,
            NotificationConfiguration={"QueueConfigurations": [*notifications, mine]},
        )
    return channel


@pytest.fixture
def pipe(warehouse, copy_readings):
    warehouse.stage()
    return make_pipe(warehouse, copy_readings)


@pytest.fixture
def deaf_pipe(warehouse, copy_readings):
    """A pipe whose bucket sends no notifications: the test sends them."""
    warehouse.stage()
    return make_pipe(warehouse, copy_readings, notify=False)


def describe(warehouse):
    cursor = warehouse.connection.cursor().execute("DESC PIPE INTAKE")
    return dict(zip([column[0] for column in cursor.description], cursor.fetchone(), strict=True))


def status(warehouse):
    return json.loads(warehouse.value("SELECT SYSTEM$PIPE_STATUS('INTAKE')"))


def count(warehouse):
    return warehouse.value("SELECT COUNT(*) FROM READINGS")


def history(warehouse):
    return warehouse.rows(
        """SELECT FILE_NAME, STATUS, ROW_COUNT, FIRST_ERROR_MESSAGE, PIPE_NAME
           FROM TABLE(INFORMATION_SCHEMA.COPY_HISTORY(
               TABLE_NAME => 'READINGS', START_TIME => DATEADD(HOUR, -1, CURRENT_TIMESTAMP())))
           ORDER BY FILE_NAME, LAST_LOAD_TIME"""
    )


def notify(ministack, channel, *keys, body=None):
    sqs = ministack.client("sqs")
    url = sqs.get_queue_url(QueueName=channel.rsplit(":", 1)[1])["QueueUrl"]
    records = [
        {
            "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": BUCKET}, "object": {"key": key.replace("=", "%3D").replace(" ", "+")}},
        }
        for key in keys
    ]
    sqs.send_message(QueueUrl=url, MessageBody=body if body is not None else json.dumps({"Records": records}))


def outstanding(ministack, channel):
    sqs = ministack.client("sqs")
    url = sqs.get_queue_url(QueueName=channel.rsplit(":", 1)[1])["QueueUrl"]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    return sum(int(v) for v in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values())


def test_a_put_becomes_rows_and_load_history(warehouse, pipe, wait_until):
    key = warehouse.put("hour=10/a b.json.gz", {"truck": "T1"}, {"truck": "T2"})
    wait_until(lambda: count(warehouse) == 2)
    assert warehouse.rows("SELECT DISTINCT FILE FROM READINGS") == [(key,)]
    assert history(warehouse) == [("hour=10/a b.json.gz", "Loaded", 2, None, "INTAKE")]
    found = status(warehouse)
    assert (found["executionState"], found["pendingFileCount"]) == ("RUNNING", 0)
    assert found["lastIngestedFilePath"] == "hour=10/a b.json.gz"
    assert found["notificationChannelName"] == pipe
    assert describe(warehouse)["comment"] == "intake"
    assert "COPY INTO READINGS" in describe(warehouse)["definition"]


def test_all_pending_files_are_loaded_in_one_commit(warehouse, deaf_pipe, wait_until):
    warehouse.rows("ALTER PIPE INTAKE SET PIPE_EXECUTION_PAUSED = TRUE")
    for number in range(40):
        warehouse.put(f"{number}.json.gz", {"truck": f"T{number}"})
    warehouse.rows("ALTER PIPE INTAKE REFRESH")
    assert status(warehouse)["pendingFileCount"] == 40
    warehouse.rows("ALTER PIPE INTAKE SET PIPE_EXECUTION_PAUSED = FALSE")
    wait_until(lambda: count(warehouse) == 40)
    commits = warehouse.value(
        """SELECT COUNT(DISTINCT LAST_LOAD_TIME) FROM TABLE(INFORMATION_SCHEMA.COPY_HISTORY(
               TABLE_NAME => 'READINGS', START_TIME => DATEADD(HOUR, -1, CURRENT_TIMESTAMP())))"""
    )
    assert commits == 1


def test_duplicate_foreign_and_malformed_messages_are_harmless(warehouse, ministack, deaf_pipe, wait_until):
    key = warehouse.put("a=1 .json.gz", {"truck": "T1"})
    notify(ministack, deaf_pipe, body=json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET}))
    notify(ministack, deaf_pipe, body="not json")
    notify(ministack, deaf_pipe, body="[1]")
    notify(ministack, deaf_pipe, "somewhere/else.json.gz")
    notify(ministack, deaf_pipe, key, key)
    wait_until(lambda: count(warehouse) == 1)
    notify(ministack, deaf_pipe, key)
    last = warehouse.put("b.json.gz", {"truck": "T2"})
    notify(ministack, deaf_pipe, last)
    wait_until(lambda: count(warehouse) == 2)
    wait_until(lambda: outstanding(ministack, deaf_pipe) == 0)
    assert [row[:3] for row in history(warehouse)] == [("a=1 .json.gz", "Loaded", 1), ("b.json.gz", "Loaded", 1)]


def test_a_bad_file_is_skipped_and_reported(warehouse, pipe, wait_until):
    warehouse.put("bad.json.gz", {"truck": "T1"}, {"truck": "T2", "speed": "fast"})
    warehouse.put("cut.json.gz", raw=b"\x1f\x8b\x08\x00truncated")
    warehouse.put("good.json.gz", {"truck": "T3"})
    wait_until(lambda: len(history(warehouse)) == 3)
    found = {row[0]: row[1:4] for row in history(warehouse)}
    assert found["good.json.gz"] == ("Loaded", 1, None)
    assert found["bad.json.gz"][:2] == ("Load failed", 0)
    assert "fast" in found["bad.json.gz"][2]
    assert found["cut.json.gz"][0] == "Load failed"
    assert count(warehouse) == 1


def test_validate_pipe_load_lists_what_a_pipe_rejected(warehouse, pipe, wait_until):
    warehouse.put("bad.json.gz", {"truck": "T1"}, {"truck": "T2", "speed": "fast"}, "{")
    wait_until(lambda: history(warehouse))
    rejected = (
        "SELECT FILE, LINE, COLUMN_NAME, REJECTED_RECORD FROM TABLE(INFORMATION_SCHEMA.VALIDATE_PIPE_LOAD("
        "PIPE_NAME => 'INTAKE', START_TIME => DATEADD(HOUR, {}, CURRENT_TIMESTAMP()))) ORDER BY LINE"
    )
    assert warehouse.rows(rejected.format(-1)) == [
        ("bad.json.gz", 2, '"READINGS"["SPEED":2]', '{"truck": "T2", "speed": "fast"}'),
        ("bad.json.gz", 3, None, "{"),
    ]
    assert warehouse.rows(rejected.format(1)) == []
    assert "NOPE' does not exist" in warehouse.error(rejected.format(-1).replace("INTAKE", "NOPE")).msg


def test_a_failed_file_that_is_announced_again_is_tried_again(warehouse, ministack, deaf_pipe, wait_until):
    key = warehouse.put("a.json.gz", "bad")
    notify(ministack, deaf_pipe, key)
    wait_until(lambda: len(history(warehouse)) == 1)
    notify(ministack, deaf_pipe, warehouse.put("a.json.gz", {"truck": "T1"}))
    wait_until(lambda: count(warehouse) == 1)
    assert [row[1] for row in history(warehouse)] == ["Load failed", "Loaded"]


def test_a_changed_file_under_a_loaded_name_is_not_loaded_again(warehouse, ministack, deaf_pipe, wait_until):
    notify(ministack, deaf_pipe, warehouse.put("a.json.gz", {"truck": "T1"}))
    wait_until(lambda: count(warehouse) == 1)
    notify(ministack, deaf_pipe, warehouse.put("a.json.gz", {"truck": "T1"}, {"truck": "T2"}))
    notify(ministack, deaf_pipe, warehouse.put("b.json.gz", {"truck": "T3"}))
    wait_until(lambda: count(warehouse) == 2)
    assert warehouse.rows("ALTER PIPE INTAKE REFRESH") == []
    assert warehouse.rows("SELECT TRUCK FROM READINGS ORDER BY 1") == [("T1",), ("T3",)]


def test_a_file_that_is_gone_fails_alone(warehouse, ministack, deaf_pipe, wait_until):
    notify(ministack, deaf_pipe, warehouse.prefix + "gone.json.gz", warehouse.put("here.json.gz", {"truck": "T1"}))
    wait_until(lambda: count(warehouse) == 1)
    assert {row[0]: row[1] for row in history(warehouse)} == {"gone.json.gz": "Load failed", "here.json.gz": "Loaded"}


@pytest.mark.parametrize(
    "resumed", ["ALTER PIPE INTAKE SET PIPE_EXECUTION_PAUSED = FALSE", "SELECT SYSTEM$PIPE_FORCE_RESUME('INTAKE')"]
)
def test_a_paused_pipe_remembers_files_and_loads_them_when_resumed(warehouse, pipe, wait_until, resumed):
    warehouse.rows("ALTER PIPE INTAKE SET PIPE_EXECUTION_PAUSED = TRUE")
    warehouse.put("a.json.gz", {"truck": "T1"})
    wait_until(lambda: status(warehouse)["pendingFileCount"] == 1)
    assert (status(warehouse)["executionState"], count(warehouse)) == ("PAUSED", 0)
    warehouse.rows(resumed)
    wait_until(lambda: count(warehouse) == 1)
    assert status(warehouse)["pendingFileCount"] == 0


def test_refresh_finds_files_that_were_never_announced(warehouse, deaf_pipe, wait_until):
    for name in ("day=1/a", "day=1/b", "day=2/c"):
        warehouse.put(f"{name}.json.gz", {"truck": name})
    assert warehouse.rows("ALTER PIPE INTAKE REFRESH PREFIX = 'day=1/'") == [
        ("day=1/a.json.gz", "SENT"),
        ("day=1/b.json.gz", "SENT"),
    ]
    wait_until(lambda: count(warehouse) == 2)
    later = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    assert warehouse.rows(f"ALTER PIPE INTAKE REFRESH MODIFIED_AFTER = '{later}'") == []
    assert warehouse.rows("ALTER PIPE INTAKE REFRESH") == [("day=2/c.json.gz", "SENT")]
    wait_until(lambda: count(warehouse) == 3)
    assert "MODIFIED_AFTER" in warehouse.error("ALTER PIPE INTAKE REFRESH MODIFIED_AFTER = '2020-01-01'").msg


def test_or_replace_forgets_loaded_files_and_if_not_exists_does_not(warehouse, copy_readings, deaf_pipe, wait_until):
    warehouse.put("a.json.gz", {"truck": "T1"})
    warehouse.rows("ALTER PIPE INTAKE REFRESH")
    wait_until(lambda: count(warehouse) == 1)
    make_pipe(warehouse, copy_readings, create="CREATE PIPE IF NOT EXISTS", notify=False)
    assert warehouse.rows("ALTER PIPE INTAKE REFRESH") == []
    make_pipe(warehouse, copy_readings, create="CREATE OR REPLACE PIPE", notify=False)
    assert len(warehouse.rows("ALTER PIPE INTAKE REFRESH")) == 1
    wait_until(lambda: count(warehouse) == 2)


def test_a_pipe_without_its_table_reports_it_and_continues_when_it_is_back(warehouse, deaf_pipe, wait_until):
    warehouse.rows("ALTER TABLE READINGS RENAME TO ELSEWHERE")
    warehouse.put("a.json.gz", {"truck": "T1"})
    warehouse.rows("ALTER PIPE INTAKE REFRESH")
    wait_until(lambda: status(warehouse)["executionState"] == "STALLED_EXECUTION_ERROR")
    assert "READINGS" in status(warehouse)["error"]
    assert status(warehouse)["pendingFileCount"] == 1
    warehouse.rows("ALTER TABLE ELSEWHERE RENAME TO READINGS")
    wait_until(lambda: count(warehouse) == 1)
    assert status(warehouse)["executionState"] == "RUNNING"


def test_a_pipe_that_is_paused_can_load_again_and_slows_no_other(warehouse, deaf_pipe, wait_until):
    warehouse.rows("ALTER TABLE READINGS RENAME TO ELSEWHERE")
    warehouse.put("a.json.gz", {"truck": "T1"})
    warehouse.rows("ALTER PIPE INTAKE REFRESH")
    wait_until(lambda: "error" in status(warehouse))
    warehouse.rows("ALTER PIPE INTAKE SET PIPE_EXECUTION_PAUSED = TRUE")
    wait_until(lambda: "error" not in status(warehouse))
    assert status(warehouse)["executionState"] == "PAUSED"


def test_a_pipe_loads_with_its_owners_privileges(warehouse, deaf_pipe, wait_until):
    role = f"LOADER_{warehouse.schema}"
    for statement in (
        f"CREATE ROLE {role}",
        f"GRANT USAGE ON DATABASE TESTS TO ROLE {role}",
        f"GRANT USAGE ON SCHEMA {warehouse.schema} TO ROLE {role}",
        f"GRANT USAGE ON STAGE LANDING TO ROLE {role}",
        f"GRANT USAGE ON FILE FORMAT NDJSON TO ROLE {role}",
        f"GRANT SELECT ON TABLE READINGS TO ROLE {role}",
        f"GRANT OWNERSHIP ON PIPE INTAKE TO ROLE {role}",
        f"GRANT ROLE {role} TO ROLE SYSADMIN",
    ):
        warehouse.rows(statement)
    assert describe(warehouse)["owner"] == role
    warehouse.put("a.json.gz", {"truck": "T1"})
    warehouse.rows("ALTER PIPE INTAKE REFRESH")
    stalled = wait_until(lambda: (found := status(warehouse))["executionState"] == "STALLED_EXECUTION_ERROR" and found)
    assert "Insufficient privileges to operate on table" in stalled["error"]
    warehouse.rows(f"GRANT INSERT ON TABLE READINGS TO ROLE {role}")
    wait_until(lambda: count(warehouse) == 1)


def test_a_dropped_pipe_loads_nothing(warehouse, pipe, wait_until):
    warehouse.rows("DROP PIPE INTAKE")
    assert warehouse.rows("SHOW PIPES LIKE 'INT%' IN SCHEMA") == []
    warehouse.rows("DROP PIPE IF EXISTS INTAKE")
    assert warehouse.error("SELECT SYSTEM$PIPE_STATUS('INTAKE')").errno == 2003


def test_an_error_integration_reports_each_file_that_was_not_loaded(warehouse, ministack, deaf_pipe, wait_until):
    sns, sqs = ministack.client("sns"), ministack.client("sqs")
    topic = sns.create_topic(Name="pipe-errors")["TopicArn"]
    queue = sqs.create_queue(QueueName="pipe-errors")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    warehouse.rows(
        "CREATE NOTIFICATION INTEGRATION PIPE_ERRORS TYPE = QUEUE DIRECTION = OUTBOUND NOTIFICATION_PROVIDER = AWS_SNS"
        f" ENABLED = TRUE AWS_SNS_TOPIC_ARN = '{topic}' AWS_SNS_ROLE_ARN = 'arn:aws:iam::000000000000:role/r'"
    )
    warehouse.rows("ALTER PIPE INTAKE SET ERROR_INTEGRATION = PIPE_ERRORS")
    assert describe(warehouse)["error_integration"] == "PIPE_ERRORS"
    bad, good = warehouse.put("bad.json.gz", "no json"), warehouse.put("good.json.gz", {"truck": "T"})
    notify(ministack, deaf_pipe, bad, good)

    def received():
        messages = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", [])
        return [json.loads(each["Body"]) for each in messages]

    (message,) = wait_until(received)
    assert message["messageType"] == "INGEST_FAILED_FILE"
    assert message["pipeName"] == f"TESTS.{warehouse.schema}.INTAKE"
    assert [each["fileName"] for each in message["messages"]] == ["bad.json.gz"]
    assert count(warehouse) == 1
    warehouse.rows("ALTER PIPE INTAKE UNSET ERROR_INTEGRATION")
    warehouse.rows("DROP INTEGRATION PIPE_ERRORS")
    assert "does not exist" in warehouse.error("ALTER PIPE INTAKE SET ERROR_INTEGRATION = PIPE_ERRORS").msg


def test_show_pipes_like(warehouse, deaf_pipe):
    assert [row[1] for row in warehouse.rows("SHOW PIPES LIKE 'int%' IN SCHEMA")] == ["INTAKE"]
    assert warehouse.rows("SHOW PIPES LIKE 'other%'") == []


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("CREATE PIPE P AUTO_INGEST = TRUE AS SELECT 1", "must be COPY INTO"),
        ("CREATE PIPE P AUTO_INGEST = TRUE", "unexpected end of statement"),
        ("CREATE PIPE P AUTO_INGEST = TRUE ERROR_INTEGRATION = X AS {copy}", "does not exist"),
        ("CREATE PIPE P AS {copy} ON_ERROR = ABORT_STATEMENT", "ABORT_STATEMENT"),
        ("CREATE PIPE P AS {copy} FILES = ('a')", "FILES"),
        ("CREATE PIPE P AS COPY INTO NOWHERE FROM (SELECT $1:a FROM @LANDING)", "NOWHERE"),
        ("ALTER PIPE NOPE REFRESH", "'NOPE' does not exist"),
    ],
)
def test_errors_name_the_cause(warehouse, copy_readings, statement, message):
    warehouse.stage()
    assert message in warehouse.error(statement.format(copy=copy_readings)).msg


def test_each_file_becomes_visible_without_a_refresh(warehouse, pipe, wait_until):
    """How long that takes is measured by the benchmark ``snowpipe``."""
    for number in range(1, 4):
        warehouse.put(f"{number}.json.gz", {"truck": "T"})
        wait_until(lambda number=number: count(warehouse) == number)
