"""Stops and deletes a CloudFormation stack, and its buckets' objects with it when asked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException
from airflow.sdk import BaseOperator, Context

from clicks_to_deliveries import operator_links as buttons
from clicks_to_deliveries.operators.killable import Killable
from include import names

# Parameters of the template, and their values when nothing may write any more.
STOP = {"Stopped": "true", "DeletionProtection": "false"}


class DeleteStackOperator(Killable, BaseOperator):
    """Deletes the stack and waits until it is gone; succeeds if there is no stack.

    CloudFormation can't delete a bucket that has objects, and would leave half a stack behind.  So a bucket with
    objects fails the task before it touches anything, unless ``empty_bucket`` is set.

    First the stack is stopped (``STOP``): the mappings and the API invoke nothing more, and nobody writes to the
    buckets, so that they stay empty.  This and the deletion lift every protection.  A stack whose last operation failed
    can't be updated; it is deleted as it is.

    :param stack_name: (templated) the stack.
    :param bucket: (templated) the stack's telemetry bucket, beside which is the one for abandoned batches.
    :param empty_bucket: (templated) first delete all objects of both buckets, with every version.
    :param timeout: longest wait for the deletion; keep it below the task's ``execution_timeout``.
    """

    operator_extra_links = (buttons.RUNBOOK, buttons.STACK)

    template_fields = ("stack_name", "bucket", "empty_bucket")

    def __init__(
        self,
        *,
        stack_name: str,
        bucket: str,
        empty_bucket: bool | str = False,
        timeout: timedelta = timedelta(minutes=30),
        aws_conn_id: str = names.DEPLOYER_AWS_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.stack_name = stack_name
        self.bucket = bucket
        self.empty_bucket = empty_bucket
        self.timeout = timeout
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> None:
        from airflow.providers.amazon.aws.hooks.s3 import S3Hook

        from clicks_to_deliveries.hooks.stack import StackHook

        s3 = S3Hook(aws_conn_id=self.aws_conn_id)
        both = (self.bucket, names.abandoned_bucket(self.bucket))
        buckets = [s3.get_bucket(name) for name in both if s3.check_for_bucket(name)]
        may_empty = str(self.empty_bucket) == "True"
        for bucket in () if may_empty else buckets:
            if any(True for _ in bucket.object_versions.all()):
                reason = f"bucket {bucket.name} holds objects: empty it yourself, or run with empty_bucket"
                raise AirflowFailException(reason)
        try:
            hook = StackHook(aws_conn_id=self.aws_conn_id)  # type: ignore[no-untyped-call] # Airflow's __init__.
            if hook.set_parameters(self.stack_name, STOP, capabilities=("CAPABILITY_IAM",), timeout=self.timeout):
                self.log.info("Stopped stack %s", self.stack_name)
                hook.unprotect(self.stack_name)
            for bucket in buckets if may_empty else ():
                bucket.object_versions.delete()
                self.log.info("Emptied bucket %s", bucket.name)
            hook.delete(self.stack_name, timeout=self.timeout)
        except AirflowException as error:
            # Not retried: a person has to find out why it could not be deleted.
            raise AirflowFailException(str(error)) from error
