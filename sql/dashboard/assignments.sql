-- Grain: one row per assignment of a tracker's readings to another truck.  An open end is NULL.
select
    REPORTED_ID,
    TRUCK_ID,
    DECIDED_AT,
    DECIDED_BY,
    REASON,
    nullif(FROM_TIME, '0001-01-01'::timestamp_ntz) as BEGINS_AT,
    nullif(UNTIL_TIME, '9999-12-31'::timestamp_ntz) as ENDS_AT
from TRACKER_ASSIGNMENTS
order by REPORTED_ID, FROM_TIME
limit {{ bind("limit") }};
