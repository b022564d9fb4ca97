-- How many readings that arrived from `since` to before `until` have a metric that was nulled.
-- Grain: one row.  Counts distinct envelopes, as the ledger does.
-- Pruning: as in readings_of_hour.sql.
with NULLED as (
    select distinct
        SHARD_ID,
        SEQUENCE_NUMBER,
        SUB_SEQUENCE_NUMBER
    from TRUCK_TELEMETRY_RAW
    where
        ARRIVAL_TIME >= {{ bind("since") }}::timestamp_ntz
        and ARRIVAL_TIME < {{ bind("until") }}::timestamp_ntz
        and NULLED_METRICS is not null
)

select count(*) as READINGS
from NULLED;
