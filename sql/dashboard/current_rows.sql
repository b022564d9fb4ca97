-- Grain: one row per truck, its current version.
select
    TRUCK_ID,
    LOAD_TIMESTAMP,
    EFFECTIVE_START_DATE,
    EFFECTIVE_END_DATE,
    IS_CURRENT,
    {{ attributes() }}
from TRUCK_TELEMETRY_DATA
where IS_CURRENT
order by TRUCK_ID
limit {{ bind("limit") }};
