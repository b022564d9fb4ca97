-- How many trucks have sent something new since `open_since`.
-- Grain: one row.
select count(*) as TRUCKS
from TRUCK_TELEMETRY_DATA
where IS_CURRENT and LOAD_TIMESTAMP >= {{ bind("open_since") }}::timestamp_ntz;
