"""AWS clients of an Airflow connection.  DAG files import this module, and boto3 only comes with the first client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.aws_clients import ClientFactory

if TYPE_CHECKING:
    from botocore.config import Config


def aws_client(aws_conn_id: str, service: str, config: Config | None = None) -> Any:
    """Make a client of this connection, with its settings or with ``config``."""
    from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

    return AwsBaseHook(aws_conn_id=aws_conn_id, client_type=service, config=config).get_conn()


def clients_of(aws_conn_id: str) -> ClientFactory:
    """Return the function that makes clients of this connection, for ``include.aws_clients``."""

    def make(service: str, /, *, config: Config) -> Any:
        return aws_client(aws_conn_id, service, config)

    return make
