"""Firehose's delivery of Kinesis streams to S3, over the public APIs of Kinesis, Lambda and S3.

MiniStack keeps delivery streams but delivers one object a record, without a record's metadata.  So locally
``python -m include.local.firehose_delivery --state DIR`` delivers, as ListDeliveryStreams and DescribeDeliveryStream
say; see docs/adr/0101-firehose-delivery.md for what is as on AWS and what is not.
"""

from include.local.firehose_delivery.checkpoints import DeliveryStatus, read_status

__all__ = ["DeliveryStatus", "read_status"]
