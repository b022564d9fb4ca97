"""What a role that sees too little can make provisioning do: nothing.  tests/sql/test_upgrade.py has a real account."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from clicks_to_deliveries.hooks.stack import StackHook
from clicks_to_deliveries.operators import provision_snowflake, upgrade_snowflake
from clicks_to_deliveries.operators.provision_snowflake import OF_INTEGRATION, ProvisionSnowflakeOperator
from clicks_to_deliveries.operators.upgrade_snowflake import UpgradeSnowflakeOperator
from snowflake.connector.errors import ProgrammingError

from include import names

pytestmark = pytest.mark.unit

USER, EXTERNAL_ID, QUEUE = "arn:aws:iam::1:user/snowflake", "an-external-id", "arn:aws:sqs:eu-central-1:1:pipe"
OF_STACK = {"SnowflakeUserArn": USER, "SnowflakeExternalId": EXTERNAL_ID, "SnowpipeQueueArn": QUEUE}
NOTHING = dict.fromkeys(OF_STACK, "")
INTEGRATION = [
    {"property": "STORAGE_AWS_IAM_USER_ARN", "property_value": USER},
    {"property": "STORAGE_AWS_EXTERNAL_ID", "property_value": EXTERNAL_ID},
]
PIPE = [{"notification_channel": QUEUE}]


class Connection:
    """Answers DESC of what its role may see; SHOW finds no schema."""

    role = "A_ROLE"

    def __init__(self, **visible: list[dict[str, str]]) -> None:
        self.visible = visible
        self.scripts: list[str] = []

    def cursor(self, *_: Any) -> Connection:
        return self

    def execute(self, statement: str, *_: Any, **__: Any) -> None:
        kind = statement.split()[1]
        if kind not in self.visible:
            raise ProgrammingError(f"{kind} does not exist or not authorized", errno=2003)
        self.rows = self.visible[kind]

    def execute_string(self, script: str, **_: Any) -> list[Any]:
        self.scripts.append(script)
        return []

    def fetchall(self) -> list[dict[str, str]]:
        return self.rows

    def close(self) -> None:
        pass


def upgrade(monkeypatch: pytest.MonkeyPatch, connection: Connection, stack: dict[str, str], **options: Any) -> Any:
    monkeypatch.setattr(upgrade_snowflake, "connect", lambda _: connection)
    monkeypatch.setattr(StackHook, "parameters", lambda *_: stack)
    ddl = "ddl/020*.sql"
    return UpgradeSnowflakeOperator(task_id="upgrade", ddl=ddl, stack_name="a-stack", **options).execute({})


def test_a_new_deployment_has_nothing_to_upgrade(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = Connection()
    assert upgrade(monkeypatch, connection, {}) == NOTHING
    assert upgrade(monkeypatch, connection, NOTHING | {"ClickShards": "1"}) == NOTHING
    assert connection.scripts == []


def test_an_existing_deployment_is_upgraded_and_its_values_are_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = Connection(INTEGRATION=INTEGRATION, PIPE=PIPE)
    assert upgrade(monkeypatch, connection, OF_STACK) == OF_STACK
    assert len(connection.scripts) == 1


@pytest.mark.parametrize(
    ("visible", "unseen"),
    [
        ({}, f"pipe {names.DATABASE}.{names.SCHEMA}.{names.PIPE} and storage integration {names.STORAGE_INTEGRATION}"),
        ({"PIPE": PIPE}, f"storage integration {names.STORAGE_INTEGRATION}"),
        ({"INTEGRATION": INTEGRATION}, f"pipe {names.DATABASE}.{names.SCHEMA}.{names.PIPE}"),
    ],
    ids=["neither", "no integration", "no pipe"],
)
def test_a_role_that_does_not_see_what_the_stack_relies_on_is_refused(
    monkeypatch: pytest.MonkeyPatch, visible: dict[str, Any], unseen: str
) -> None:
    connection = Connection(**visible)
    with pytest.raises(AirflowFailException, match=f"role A_ROLE does not see {unseen}. If it belongs"):
        upgrade(monkeypatch, connection, OF_STACK)
    assert connection.scripts == []


def test_a_value_of_the_settings_says_nothing_about_an_object(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first run failed after the stack had them, and before the integration was created."""
    chosen = {name: OF_STACK[name] for name in OF_INTEGRATION}
    assert upgrade(monkeypatch, Connection(), chosen, chosen=chosen) == NOTHING | chosen
    with pytest.raises(AirflowFailException, match="does not see storage integration"):
        upgrade(monkeypatch, Connection(), chosen, chosen=chosen | {"SnowflakeUserArn": "another"})


def test_what_is_to_be_created_again_keeps_the_values_of_the_stack_until_it_exists(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection = Connection()
    assert upgrade(monkeypatch, connection, OF_STACK, recreate="True") == OF_STACK
    assert connection.scripts == []


def test_an_object_that_must_exist_and_is_not_seen_is_a_failure_and_no_empty_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def create(connection: Connection, **options: Any) -> dict[str, str]:
        monkeypatch.setattr(provision_snowflake, "connect", lambda _: connection)
        return ProvisionSnowflakeOperator(task_id="create", ddl="ddl/020*.sql", **options).execute({})

    with_integration = Connection(INTEGRATION=INTEGRATION)
    assert create(with_integration, required=tuple(OF_INTEGRATION)) == OF_STACK | {"SnowpipeQueueArn": ""}
    with pytest.raises(AirflowFailException, match="role A_ROLE does not see pipe"):
        create(with_integration)
    with pytest.raises(AirflowFailException, match="role A_ROLE does not see storage integration"):
        create(Connection(PIPE=PIPE), required=tuple(OF_INTEGRATION))
