-- Grain: one row, the readings that an assignment moves: how many instants, the first and the last.
select
    count(distinct EVENT_TIME) as READINGS,
    min(EVENT_TIME) as FIRST_TIME,
    max(EVENT_TIME) as LAST_TIME
from TRUCK_TELEMETRY_RAW
where
    TRUCK_ID = {{ bind("reported_id") }}
    and EVENT_TIME >= {{ bind("since") }}::timestamp_ntz
    and EVENT_TIME < {{ bind("until") }}::timestamp_ntz;
