-- Grain: one row per version of one truck, newest first.
select
    {{ history_columns() }}
from TRUCK_TELEMETRY_DATA
where TRUCK_ID = {{ bind("truck_id") }}
order by EFFECTIVE_START_DATE desc
limit {{ bind("limit") }};
