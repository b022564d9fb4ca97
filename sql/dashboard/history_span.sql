-- One row: how many versions a truck has, and from when to when.
select
    count(*) as VERSIONS,
    min(EFFECTIVE_START_DATE) as FIRST_START,
    max(EFFECTIVE_START_DATE) as LAST_START
from TRUCK_TELEMETRY_DATA
where TRUCK_ID = {{ bind("truck_id") }};
