-- Assignments that name the truck, as the reported id or as the truck that gets the readings.
-- Grain: one row per assignment.
select
    REPORTED_ID,
    FROM_TIME,
    UNTIL_TIME,
    TRUCK_ID
from TRACKER_ASSIGNMENTS
where {{ bind("truck_id") }} in (REPORTED_ID, TRUCK_ID)
order by REPORTED_ID, FROM_TIME;
