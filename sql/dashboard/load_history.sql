-- Grain: one row per file that the pipe loaded, or tried to, in the last %(hours)s hours, newest first.
select
    FILE_NAME,
    convert_timezone('UTC', LAST_LOAD_TIME)::timestamp_ntz as LOADED_AT,
    STATUS,
    ROW_COUNT,
    ROW_PARSED,
    ERROR_COUNT,
    FIRST_ERROR_MESSAGE
from
    table(
        information_schema.copy_history(
            table_name => 'TRUCK_TELEMETRY_RAW',
            start_time => dateadd('hour', -%(hours)s, current_timestamp())
        )
    )
order by LAST_LOAD_TIME desc
limit %(limit)s;
