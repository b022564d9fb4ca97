"""Firehose's delivery of Kinesis streams to S3, over the public APIs of Kinesis, Lambda and S3.

MiniStack keeps delivery streams but delivers one object per record, without the record's metadata.  Locally,
``python -m include.local.aws.firehose_delivery --state DIR`` delivers instead, from what ListDeliveryStreams and
DescribeDeliveryStream return.

As AWS documents: the transformation event; buffers by size and interval, before the function and again before S3;
1 + NumberOfRetries invocations, then the batch goes to the error prefix as ``processing-failed`` documents; the results
Ok, Dropped and ProcessingFailed, missing and repeated record ids; prefixes and object names; reading from
DeliveryStartTimestamp, and a shard that appears later from its start.  A shard's checkpoint moves when the objects with
its records are stored: a killed driver delivers some records twice and loses none.  Format conversion, dynamic
partitioning and other destinations or processors are refused.

Our choice where AWS's documentation is silent: pauses between invocations grow from 0.1 s to 2 s; an S3 that refuses is
retried for ever (AWS: 24 hours); a Lambda that can't be reached counts as no attempt; objects of failed records are
gzipped like the others.  One object has records of all shards, each shard's in order.
"""

from include.local.aws.firehose_delivery.checkpoints import DeliveryStatus, read_status

__all__ = ["DeliveryStatus", "read_status"]
