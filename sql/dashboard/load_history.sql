-- Grain: one row per file that the pipe loaded, or tried to, in the last %(hours)s hours, newest first.
select
    file_name,
    convert_timezone('UTC', last_load_time)::timestamp_ntz as loaded_at,
    status,
    row_count,
    row_parsed,
    error_count,
    first_error_message
from
    table(
        information_schema.copy_history(
            table_name => 'TRUCK_TELEMETRY_RAW',
            start_time => dateadd('hour', -%(hours)s, current_timestamp())
        )
    )
order by last_load_time desc
limit %(limit)s
