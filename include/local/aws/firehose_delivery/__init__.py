"""Firehose's delivery of Kinesis streams to S3, through the public APIs of Kinesis, Lambda and S3.

MiniStack has delivery streams, but stores one object per record, without the record's metadata.  On a laptop,
``python -m include.local.aws.firehose_delivery --state DIR`` delivers instead, from what ListDeliveryStreams and
DescribeDeliveryStream return.

As AWS documents: the transformation event; buffers by size and interval, before the function and again before S3;
1 + NumberOfRetries invocations, then the batch goes to the error prefix as ``processing-failed`` documents; the results
Ok, Dropped and ProcessingFailed, missing and repeated record ids; prefixes and object names; reading from
DeliveryStartTimestamp, and a shard that appears later from its start.  A shard's checkpoint moves when the objects with
its records are stored: a killed driver delivers some records twice and loses none.  Format conversion, dynamic
partitioning and other destinations or processors are refused.

Our choice where AWS's documentation is silent: pauses between invocations grow from 0.1 s to 2 s; a refused write to S3
is retried forever (AWS: 24 hours); an invocation that can't reach Lambda is no attempt; objects of failed records are
compressed like the others.  One object has records of all shards, in order within each shard.
"""

from include.local.aws.firehose_delivery.checkpoints import DeliveryStatus, read_status

__all__ = ["DeliveryStatus", "read_status"]
