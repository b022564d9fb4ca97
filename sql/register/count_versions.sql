-- Grain: one row per truck of an assignment that has versions, and how many.
select
    TRUCK_ID,
    count(*) as VERSIONS
from TRUCK_HISTORY
where TRUCK_ID in ({{ bind("reported_id") }}, {{ bind("truck_id") }})
group by TRUCK_ID;
