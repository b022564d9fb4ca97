"""A call to Kinesis costs the records that it is about.

MiniStack copies all records of every shard of the stream at each call, to leave out those that have expired.  They are
in the order of their arrival: here only what has expired is looked at.
"""

import time
from bisect import bisect_left
from operator import itemgetter

from ministack.services import kinesis

SECONDS_PER_HOUR = 3600


def expire_records(stream):
    oldest = time.time() - stream["RetentionPeriodHours"] * SECONDS_PER_HOUR
    arrival = itemgetter("ApproximateArrivalTimestamp")
    for shard in stream["shards"].values():
        records = shard["records"]
        if records and arrival(records[0]) < oldest:
            shard["records"] = records[bisect_left(records, oldest, key=arrival) :]


kinesis._expire_records = expire_records
