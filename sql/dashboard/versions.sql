-- Grain: one row per version of one truck, newest first.
select
    TRUCK_ID,
    LOAD_TIMESTAMP,
    EFFECTIVE_START_DATE,
    EFFECTIVE_END_DATE,
    IS_CURRENT,
    {{ attributes() }}
from TRUCK_TELEMETRY_DATA
where TRUCK_ID = {{ bind("truck_id") }}
order by EFFECTIVE_START_DATE desc
limit {{ bind("limit") }};
