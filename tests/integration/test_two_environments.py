"""Two environments in one AWS account and one Snowflake account, each with an Airflow of its own."""

from __future__ import annotations

import configparser
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from snowflake.connector import DictCursor
from snowflake.connector.errors import Error

from include.local.snowflake.tls import TlsFiles
from tests.fixtures.children import end_with_parent
from tests.fixtures.delivery import delivering
from tests.fixtures.environments import imported_in
from tests.fixtures.ministack import EnforcingMiniStack
from tests.fixtures.snowflake import LocalSnowflake, free_port
from tests.fixtures.waiting import wait_for

pytestmark = [pytest.mark.integration, pytest.mark.verify, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[2]
DIFFERENCES = ("MISSING", "UNEXPECTED", "CONFLICTS", "OVERDUE", "UNCOVERED")


class Environment:
    """What the people of one environment do: each command is a process with CTD_ENVIRONMENT set."""

    def __init__(self, name: str, state: Path, aws: EnforcingMiniStack, snowflake: LocalSnowflake) -> None:
        self.state = state
        self.manifest = state / "manifest.jsonl"
        self._aws, self._snowflake = aws, snowflake
        with imported_in(name):
            from include.local.demo.environment import build, snowflake_login
            from include.local.demo.ports import Ports

            self.names: Any = import_module("include.names")
            ports = Ports(airflow=free_port(), dashboard=free_port(), aws=aws.port, snowflake=snowflake.port)
            authorities = {
                "REQUESTS_CA_BUNDLE": str(snowflake.tls.bundle),
                "AWS_CA_BUNDLE": aws.environment["AWS_CA_BUNDLE"],
            }
            # No person is there to approve the teardown.
            self.variables = build(state, ports, authorities) | {"CTD_APPROVAL": "none"}
            self.keys = Path(self.variables["DEMO_SNOWFLAKE_KEYS"])
            self._login = partial(snowflake_login, snowflake.port, self.keys)

    def set_up(self) -> None:
        self._run("airflow", "db", "migrate")
        self._run("airflow", "pools", "set", self.names.HISTORY_WRITER_POOL, "1", "One writer of the history")
        credentials = self.variables["AWS_SHARED_CREDENTIALS_FILE"]
        self._run("include.local.demo.aws_administrator", "--credentials", credentials)
        administrator = ["include.local.demo.snowflake_administrator", "--port", str(self._snowflake.port)]
        self._run(*administrator, "--keys", str(self.keys))
        self.dag("provision_resources")

    def dag(self, file: str, **conf: Any) -> None:
        """Run a DAG; fails if its run does."""
        self._run("airflow", "dags", "test", self.names.dag(file), "--conf", json.dumps(conf))

    def generator(self, *, clicks: int, readings: int) -> subprocess.Popen[bytes]:
        """Start to send, 10 of each per second."""
        command = [sys.executable, "-m", "include.generator", "--manifest", str(self.manifest)]
        command += ["--clicks", str(clicks), "--clicks-per-second", "10", "--malformed", "0.02", "--duplicated", "0.05"]
        command += ["--readings", str(readings), "--readings-per-second", "10"]
        # Devices have credentials of their own.
        environment = self.variables | {"AWS_PROFILE": "administrator"}
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, preexec_fn=end_with_parent
        )

    def sent(self) -> Counter[str]:
        """Stream -> the records that Kinesis acknowledged to the generator."""
        return Counter(json.loads(line)["stream"] for line in self.manifest.read_bytes().split(b"\n")[:-1])

    def items(self, table: str) -> list[Any]:
        """Items of a table of DynamoDB, read with the role of the scheduled DAGs."""
        machine = configparser.ConfigParser()
        machine.read(self.variables["AWS_SHARED_CREDENTIALS_FILE"])
        key = {"AccessKeyId": machine["default"]["aws_access_key_id"]}
        key["SecretAccessKey"] = machine["default"]["aws_secret_access_key"]
        connection = json.loads(self.variables[f"AIRFLOW_CONN_{self.names.AWS_CONNECTION.upper()}"])
        role = connection["extra"]["role_arn"]
        session = self._aws.client("sts", key).assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        return list(self._aws.client("dynamodb", session).scan(TableName=table)["Items"])

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        with self._snowflake.connect(**self._login("transformer")) as connection:
            return connection.cursor().execute(statement).fetchall()

    def ledger(self, since: datetime) -> tuple[Counter[str], Counter[str]]:
        """Merge and count, then return per stream the records in the ledger, and the differences."""
        self.dag("scd2_merge")
        self.dag("reconcile", since=since.isoformat())
        counted, differing = Counter[str](), Counter[str]()
        columns = "STREAM_NAME, ARCHIVED, " + " + ".join(DIFFERENCES)
        for stream, records, differences in self.query(f"select {columns} from {self.names.LEDGER_TABLE}"):
            counted[stream] += records
            differing[stream] += differences
        return counted, +differing

    def balances(self, since: datetime) -> bool:
        """Whether the ledger has everything that is in the streams, and nothing differs."""
        streams = (self.names.CLICK_STREAM, self.names.TRUCK_STREAM)
        return self.ledger(since) == (Counter({name: records_in(self._aws, name) for name in streams}), Counter())

    def _run(self, module: str, *arguments: str) -> None:
        command = [sys.executable, "-m", module, *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.variables, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, f"{command}:\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"


@pytest.fixture
def snowflake_account(
    enforcing_ministack: EnforcingMiniStack, snowflake_tls: TlsFiles, tmp_path: Path
) -> Iterator[LocalSnowflake]:
    server = LocalSnowflake(tmp_path / "warehouse", snowflake_tls, enforcing_ministack.environment)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture
def deliveries(enforcing_ministack: EnforcingMiniStack, tmp_path: Path) -> Iterator[None]:
    """Does what AWS does by itself, for every environment of the account."""
    with delivering(enforcing_ministack.environment, tmp_path):
        yield


def records_in(aws: EnforcingMiniStack, stream: str) -> int:
    """How many records a stream has; a generator that is interrupted does not know of its last ones."""
    kinesis, count = aws.client("kinesis"), 0
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        start = {"StreamName": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        page = kinesis.get_records(ShardIterator=kinesis.get_shard_iterator(**start)["ShardIterator"])
        while page["Records"]:
            count += len(page["Records"])
            page = kinesis.get_records(ShardIterator=page["NextShardIterator"])
    return count


def names_in_aws(aws: EnforcingMiniStack) -> set[str]:
    """What people call the resources of the account."""
    kinesis, dynamodb, lambda_ = (aws.client(each) for each in ("kinesis", "dynamodb", "lambda"))
    s3, sns, logs, api = (aws.client(each) for each in ("s3", "sns", "logs", "apigateway"))
    return {
        *kinesis.list_streams()["StreamNames"],
        *dynamodb.list_tables()["TableNames"],
        *(each["FunctionName"] for each in lambda_.list_functions()["Functions"]),
        *(each["Name"] for each in s3.list_buckets()["Buckets"]),
        *(each["TopicArn"].rpartition(":")[2] for each in sns.list_topics()["Topics"]),
        *(each["logGroupName"] for each in logs.describe_log_groups()["logGroups"]),
        *(each["name"] for each in api.get_rest_apis()["items"]),
    }


def names_in_snowflake(server: LocalSnowflake) -> dict[str, set[str]]:
    """Kind -> the names that the pipeline gave its objects in the account; tables with their database."""

    def show(what: str) -> list[dict[str, Any]]:
        with server.connect(role="ACCOUNTADMIN") as connection:
            return list(connection.cursor(DictCursor).execute(f"show {what}").fetchall())

    return {
        **{
            kind: {row["name"] for row in show(kind) if "TRUCK_" in row["name"]}
            for kind in ("warehouses", "integrations")
        },
        "tables": {
            f"{row['database_name']}.{row['name']}"
            for row in show("tables in account")
            if "ECOMM" in row["database_name"]
        },
    }


def test_one_is_torn_down_while_the_other_streams_and_its_ledger_balances(
    enforcing_ministack: EnforcingMiniStack, snowflake_account: LocalSnowflake, deliveries: None, tmp_path: Path
) -> None:
    began = datetime.now(UTC)
    seed, staging = (
        Environment(name, tmp_path / (name or "seed"), enforcing_ministack, snowflake_account)
        for name in ("", "staging")
    )
    with ThreadPoolExecutor() as pool:
        list(pool.map(Environment.set_up, (seed, staging)))

    # Both are there, under names that differ, and neither may look into the other.
    everything = names_in_aws(enforcing_ministack)
    of_staging = {name for name in everything if "staging-" in name}
    assert {name.replace("staging-", "", 1) for name in of_staging} == everything - of_staging
    assert {"ClickDataStream", "staging-ClickDataStream"} < everything
    for one, other in ((seed, staging), (staging, seed)):
        with pytest.raises(Error, match="does not exist or not authorized"):
            one.query(f"select * from {other.names.DATABASE}.{other.names.SCHEMA}.{other.names.RAW_TABLE}")
        assert one.items(one.names.CLICK_ITEM_TABLE) == []
        with pytest.raises(ClientError, match="not authorized"):
            one.items(other.names.CLICK_ITEM_TABLE)

    tables = {name.rpartition(".")[2] for name in names_in_snowflake(snowflake_account)["tables"]}
    streaming = staging.generator(clicks=1_000_000, readings=1_000_000)
    try:
        assert seed.generator(clicks=100, readings=100).wait(timeout=120) == 0
        wait_for(partial(seed.balances, began), "the seed's ledger balances", deadline=600)

        seed.dag("teardown_resources", confirm="clicks-to-deliveries", empty_bucket=True, drop_snowflake=True)
        before = staging.sent().total()
        assert streaming.poll() is None
        wait_for(lambda: staging.sent().total() > before + 200, "staging streams on")
    finally:
        streaming.terminate()
        assert streaming.wait(timeout=60) == 130

    # Nothing of the one is left but its bundles, and nothing of the other is missing.
    assert names_in_aws(enforcing_ministack) == of_staging | {"clicks-to-deliveries-deployment"}
    assert names_in_snowflake(snowflake_account) == {
        "warehouses": {staging.names.WAREHOUSE, staging.names.READER_WAREHOUSE},
        "integrations": {staging.names.STORAGE_INTEGRATION},
        "tables": {f"{staging.names.DATABASE}.{table}" for table in tables},
    }

    sent = staging.sent()
    assert sent.keys() == {"staging-ClickDataStream", "staging-TruckTelemetry"}
    wait_for(partial(staging.balances, began), "staging's ledger balances", deadline=600)
    # Each is alone in its tables: the seed's readings are of trucks that staging has too.
    (streams,) = staging.query(f"select array_agg(distinct STREAM_NAME)::string from {staging.names.RAW_TABLE}")
    assert json.loads(streams[0]) == ["staging-TruckTelemetry"]
