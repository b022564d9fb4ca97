-- Grain: one row per file that the pipe loaded, or failed to load, in the last `hours` hours.
-- Newest first.
select
    FILE_NAME,
    STATUS,
    ROW_COUNT,
    ROW_PARSED,
    ERROR_COUNT,
    FIRST_ERROR_MESSAGE,
    convert_timezone('UTC', LAST_LOAD_TIME)::timestamp_ntz as LOADED_AT
from
    table(
        information_schema.copy_history(
            table_name => 'TRUCK_TELEMETRY_RAW',
            start_time => dateadd('hour', -{{ bind("hours") }}, current_timestamp())
        )
    )
order by LAST_LOAD_TIME desc
limit {{ bind("limit") }};
