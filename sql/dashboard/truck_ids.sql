-- Grain: one row per truck that has a current version.
select TRUCK_ID
from TRUCK_TELEMETRY_DATA
where IS_CURRENT
order by TRUCK_ID
limit {{ bind("limit") }};
