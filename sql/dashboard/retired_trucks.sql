-- Grain: one row per truck that left the fleet.
select
    TRUCK_ID,
    RETIRED_AT
from FLEET
where RETIRED_AT <= sysdate()
order by TRUCK_ID
limit {{ bind("limit") }};
