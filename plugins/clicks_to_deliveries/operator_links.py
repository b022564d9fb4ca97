"""Buttons on a task's page in Airflow: the runbook, and where to see what the task works on.

Airflow asks for an address when a task ends, on its worker, and keeps it with the task.  A button whose setting is
unset does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import BaseOperator, BaseOperatorLink

from clicks_to_deliveries.links import alert_links
from include import names
from include.alerts.impact import runbook_of
from include.settings import settings

if TYPE_CHECKING:
    from airflow.sdk.types import TaskInstanceKey


class Button(BaseOperatorLink):
    """A button with a fixed text.

    :param key: of the address, in the task's XComs.
    :param address: returns it for an operator; empty: none.
    """

    def __init__(self, text: str, key: str, address: Callable[[Any], str]) -> None:
        self._text = text
        self._key = key
        self._address = address

    @property
    def name(self) -> str:
        """The text."""
        return self._text

    @property
    def xcom_key(self) -> str:
        """The key of the address."""
        return f"_link_{self._key}"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address."""
        return self._address(operator)


def _runbook(operator: BaseOperator) -> str:
    links = alert_links()
    return links.file(runbook_of(operator.dag_id)) if links.repository_url else ""


def _dashboard(page: str) -> Callable[[BaseOperator], str]:
    def address(_: BaseOperator) -> str:
        url = alert_links().dashboard_url
        return f"{url.rstrip('/')}/{page}" if url else ""

    return address


def _snowsight(path: str) -> Callable[[BaseOperator], str]:
    """A page of Snowflake's web interface, which has the organization and the account as two parts of the address."""

    def address(_: BaseOperator) -> str:
        organization, hyphen, account = settings().snowflake_account.partition("-")
        return f"https://app.snowflake.com/{organization}/{account}/#/{path}" if hyphen else ""

    return address


def _stack(operator: Any) -> str:
    from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

    region = AwsBaseHook(aws_conn_id=operator.aws_conn_id).region_name
    stack = quote(settings().stack_name)
    return f"https://{region}.console.aws.amazon.com/cloudformation/home?region={region}#/stacks?filteringText={stack}"


_SCHEMA = f"data/databases/{names.DATABASE}/schemas/{names.SCHEMA}"

RUNBOOK = Button("Runbook", "runbook", _runbook)
STACK = Button("Stack in CloudFormation", "stack", _stack)
PIPE = Button("Pipe in Snowflake", "pipe", _snowsight(f"{_SCHEMA}/pipe/{names.PIPE}"))
QUERIES = Button("Query history in Snowflake", "queries", _snowsight("compute/history/queries"))
HISTORY = Button("Truck history", "history", _dashboard("truck_history"))
MERGE_RUNS = Button("Merge runs", "merge_runs", _dashboard("pipeline_health?part=Merge+runs"))
QUALITY = Button("Quality results", "quality", _dashboard("pipeline_health?part=Quality"))
LEDGER = Button("Ledger", "ledger", _dashboard("pipeline_health?part=Ledger"))
LOADS = Button("Loaded files", "loads", _dashboard("pipeline_health?part=Loads"))
ALERTS = Button("Alerts", "alerts", _dashboard("pipeline_health?part=Alerts"))
QUARANTINE = Button("Quarantine", "quarantine", _dashboard("pipeline_health?part=Quarantine"))
