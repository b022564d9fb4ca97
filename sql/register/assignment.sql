-- Grain: one row, the assignment of the tracker that begins at `since`, or no row.
select
    UNTIL_TIME,
    TRUCK_ID
from TRACKER_ASSIGNMENTS
where
    REPORTED_ID = {{ bind("reported_id") }}
    and FROM_TIME = {{ bind("since") }}::timestamp_ntz;
