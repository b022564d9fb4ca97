"""What Airflow itself reports to CloudWatch: signs of life, and what no metric of AWS says."""

from __future__ import annotations

from collections.abc import Mapping

from clicks_to_deliveries.hooks.aws_hook import aws_client
from include import names
from include.aws_clients import client_config


def put_metrics(aws_conn_id: str, counts: Mapping[str, int]) -> None:
    """Report one count per metric, as of now.

    Raises:
        botocore.exceptions.BotoCoreError, ClientError: CloudWatch did not accept them.
    """
    cloudwatch = aws_client(aws_conn_id, "cloudwatch", client_config("cloudwatch"))
    data = [{"MetricName": metric, "Value": count, "Unit": "Count"} for metric, count in counts.items()]
    cloudwatch.put_metric_data(Namespace=names.METRICS_NAMESPACE, MetricData=data)
