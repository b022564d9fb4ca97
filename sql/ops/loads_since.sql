-- Files that Snowpipe loaded, or failed to load, after `since` and until `until` inclusive (times
-- with a UTC offset).
-- Grain: one row per file and load.  COPY_HISTORY reaches back 14 days.
select
    FILE_NAME,
    STATUS,
    ROW_COUNT,
    ERROR_COUNT,
    FIRST_ERROR_MESSAGE,
    FIRST_ERROR_LINE_NUMBER,
    LAST_LOAD_TIME
from
    table(
        INFORMATION_SCHEMA.COPY_HISTORY(
            TABLE_NAME => 'TRUCK_TELEMETRY_RAW',
            START_TIME => {{ bind("since") }}::timestamp_ltz
        )
    )
where
    LAST_LOAD_TIME > {{ bind("since") }}::timestamp_ltz
    and LAST_LOAD_TIME <= {{ bind("until") }}::timestamp_ltz
order by LAST_LOAD_TIME;
