-- name: clicks_carry_their_envelope
-- severity: fail
-- owner: data-platform
-- meaning: A recent click in DynamoDB does not say which record of the stream it came from, or when
--   it was stored, so it can't be accounted for.
-- action: Find out what else writes to ClickStreamData beside KinesisToDynamoDBProcessor, or if a
--   new version of the function leaves out the envelope.
-- reads: recent_clicks
-- runbook: clicks-are-wrong
with CHECKED as (
    select
        STORED_TIMESTAMP,
        ITEM_ID,
        ''
        || iff(STREAM_NAME = '{{ click_stream }}', '', ' Stream')
        || iff(SHARD_ID <> '', '', ' Shard_ID')
        || iff(SEQUENCE_NUMBER rlike '[0-9]+', '', ' Sequence_Number')
        || iff(coalesce(SUB_SEQUENCE_NUMBER, '1') rlike '[1-9][0-9]*', '', ' Sub_Sequence_Number')
        || iff({{ is_canonical_time("ARRIVAL_TIME") }}, '', ' Arrival_Time')
        || iff({{ is_canonical_time("INGESTED_AT") }}, '', ' Ingested_At') as PROBLEMS
    from STAGED_RECENT_CLICKS
)

select STORED_TIMESTAMP || ' ' || ITEM_ID || PROBLEMS as SAMPLE_KEY
from CHECKED
where PROBLEMS <> '';
