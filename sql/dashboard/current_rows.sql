-- Grain: one row per truck, its current version.
select
    {{ history_columns() }}
from TRUCK_TELEMETRY_DATA
where IS_CURRENT
order by TRUCK_ID
limit {{ bind("limit") }};
