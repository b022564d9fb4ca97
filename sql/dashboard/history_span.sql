-- Grain: one row, the number of a truck's versions and the first and last start.
select
    count(*) as VERSIONS,
    min(EFFECTIVE_START_DATE) as FIRST_START,
    max(EFFECTIVE_START_DATE) as LAST_START
from TRUCK_HISTORY
where TRUCK_ID = {{ bind("truck_id") }};
