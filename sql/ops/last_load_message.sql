-- When a landing file last failed to load with a message, which may quote one of its values.
-- Grain: one row; UTC, NULL: never within the 14 days that COPY_HISTORY reaches back.
select convert_timezone('UTC', max(LAST_LOAD_TIME))::timestamp_ntz as LAST_LOAD_TIME
from
    table(
        INFORMATION_SCHEMA.COPY_HISTORY(
            TABLE_NAME => 'TRUCK_TELEMETRY_RAW',
            START_TIME => dateadd('minute', 1, dateadd('day', -14, current_timestamp()))
        )
    )
where FIRST_ERROR_MESSAGE is not null;
