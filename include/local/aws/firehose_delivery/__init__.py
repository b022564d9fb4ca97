"""Firehose's delivery of Kinesis streams to S3, over the public APIs of Kinesis, Lambda and S3.

MiniStack keeps delivery streams but delivers one object per record, without the record's metadata.  Locally,
``python -m include.local.aws.firehose_delivery --state DIR`` delivers instead, from what ListDeliveryStreams and
DescribeDeliveryStream return; docs/adr/0101-firehose-delivery.md says what is as on AWS and what is not.
"""

from include.local.aws.firehose_delivery.checkpoints import DeliveryStatus, read_status

__all__ = ["DeliveryStatus", "read_status"]
