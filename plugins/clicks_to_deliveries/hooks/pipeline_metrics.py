"""What Airflow itself reports to CloudWatch: signs of life, and what no metric of AWS says."""

from __future__ import annotations

from collections.abc import Mapping

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

from include import names
from include.aws_clients import client_config


def put_metrics(aws_conn_id: str, counts: Mapping[str, int]) -> None:
    """Report one count per metric, as of now.

    Raises:
        botocore.exceptions.BotoCoreError, ClientError: CloudWatch did not accept them.
    """
    cloudwatch = AwsBaseHook(
        aws_conn_id=aws_conn_id, client_type="cloudwatch", config=client_config("cloudwatch")
    ).get_conn()
    data = [{"MetricName": metric, "Value": count, "Unit": "Count"} for metric, count in counts.items()]
    cloudwatch.put_metric_data(Namespace=names.METRICS_NAMESPACE, MetricData=data)
