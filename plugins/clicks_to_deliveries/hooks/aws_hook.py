"""AWS clients of an Airflow connection, for include.aws_clients, which sets their timeouts and retries."""

from __future__ import annotations

from typing import Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from botocore.config import Config

from include.aws_clients import ClientFactory


def clients_of(aws_conn_id: str) -> ClientFactory:
    """Return the function that makes clients of this connection."""

    def make(service: str, /, *, config: Config) -> Any:
        return AwsBaseHook(aws_conn_id=aws_conn_id, client_type=service, config=config).get_conn()

    return make
