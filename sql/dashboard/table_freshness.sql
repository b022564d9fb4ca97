-- Grain: one row per table, with its number of rows and its newest instant (UTC).
-- Snowflake answers counts and extremes from metadata, without reading the table.
select
    'TRUCK_TELEMETRY_RAW' as TABLE_NAME,
    count(*) as TABLE_ROWS,
    max(ARRIVAL_TIME) as NEWEST
from TRUCK_TELEMETRY_RAW
union all
select
    'TRUCK_TELEMETRY_DATA' as TABLE_NAME,
    count(*) as TABLE_ROWS,
    max(EFFECTIVE_START_DATE) as NEWEST
from TRUCK_TELEMETRY_DATA;
