-- One row per warehouse table: its rows and its newest instants (UTC).
-- Snowflake answers counts and extremes from metadata, without reading the table.
select
    'TRUCK_TELEMETRY_RAW' as table_name,
    count(*) as table_rows,
    max(arrival_time) as newest
from truck_telemetry_raw
union all
select
    'TRUCK_TELEMETRY_DATA' as table_name,
    count(*) as table_rows,
    max(effective_start_date) as newest
from truck_telemetry_data
