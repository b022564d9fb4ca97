-- name: envelopes_say_one_thing
-- severity: fail
-- owner: data-platform
-- meaning: One envelope (stream, shard, sequence number, sub-sequence number) landed with two
--   contents. A redelivery must have the same content.
-- action: Something rewrites records between the stream and RAW. Compare the landing files of the
--   envelope with raw-archive/, and stop the writer of the wrong one.
-- runbook: raw-holds-what-it-should-not
select
    STREAM_NAME || ' ' || SHARD_ID || ' ' || SEQUENCE_NUMBER
    || coalesce('.' || SUB_SEQUENCE_NUMBER, '') as SAMPLE_KEY
from TRUCK_TELEMETRY_RAW
-- A record can be redelivered while its stream keeps it, a week at most.
where
    ARRIVAL_TIME >= dateadd('day', -7, sysdate())
    and EVENT_TIME >= {{ bind("since") }}::timestamp_ntz
group by STREAM_NAME, SHARD_ID, SEQUENCE_NUMBER, SUB_SEQUENCE_NUMBER
having count(distinct hash(TRUCK_ID, EVENT_TIME, ARRIVAL_TIME, {{ attributes() }})) > 1;
