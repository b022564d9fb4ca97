"""Takes a CloudFormation stack down, and its bucket's objects with it when asked."""

from __future__ import annotations

from typing import Any

from airflow.providers.amazon.aws.hooks.cloud_formation import CloudFormationHook
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException
from botocore.exceptions import ClientError, WaiterError

from include import names

POLL_SECONDS = 5


class DeleteStackOperator(BaseOperator):
    """Deletes the stack and waits until it is gone; a stack that is not there is fine.

    CloudFormation can't delete a bucket that holds anything, and would leave half a stack behind: unless
    ``empty_bucket``, a bucket with objects makes this fail before anything is touched.

    :param bucket: the stack's bucket.
    :param empty_bucket: delete all its objects, with every version, first.
    :param timeout_seconds: longest wait for the deletion.
    """

    template_fields = ("stack_name", "bucket", "empty_bucket")

    def __init__(
        self,
        *,
        stack_name: str,
        bucket: str,
        empty_bucket: bool | str = False,
        timeout_seconds: int = 1800,
        aws_conn_id: str = names.AWS_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.stack_name = stack_name
        self.bucket = bucket
        self.empty_bucket = empty_bucket
        self.timeout_seconds = timeout_seconds
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> None:
        s3 = S3Hook(aws_conn_id=self.aws_conn_id)
        if s3.check_for_bucket(self.bucket):
            self._make_room(s3)
        client = CloudFormationHook(aws_conn_id=self.aws_conn_id).get_conn()
        client.delete_stack(StackName=self.stack_name)
        waiter = client.get_waiter("stack_delete_complete")
        attempts = max(1, self.timeout_seconds // POLL_SECONDS)
        try:
            waiter.wait(StackName=self.stack_name, WaiterConfig={"Delay": POLL_SECONDS, "MaxAttempts": attempts})
        except WaiterError as error:
            raise AirflowFailException(f"stack {self.stack_name} is not deleted: {_reasons(client, self)}") from error

    def _make_room(self, s3: S3Hook) -> None:
        versions = s3.get_bucket(self.bucket).object_versions
        if str(self.empty_bucket) == "True":
            versions.delete()
            self.log.info("Emptied bucket %s", self.bucket)
        elif any(True for _ in versions.all()):
            raise AirflowFailException(
                f"bucket {self.bucket} holds objects: empty it yourself, or run with empty_bucket"
            )


def _reasons(client: Any, operator: DeleteStackOperator) -> str:
    """What CloudFormation says about the resources it could not delete."""
    try:
        events = client.describe_stack_events(StackName=operator.stack_name)["StackEvents"]
    except ClientError as error:
        return str(error)
    failed = [event for event in events if event["ResourceStatus"] == "DELETE_FAILED"]
    return "; ".join(f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}" for event in failed)
