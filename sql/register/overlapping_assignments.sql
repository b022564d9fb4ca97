-- Other assignments of the same tracker that share an instant with a new one: a reading belongs to
-- one truck.
-- Grain: one row per assignment.
select
    FROM_TIME,
    UNTIL_TIME,
    TRUCK_ID
from TRACKER_ASSIGNMENTS
where
    REPORTED_ID = {{ bind("reported_id") }}
    and FROM_TIME < {{ bind("until") }}::timestamp_ntz
    and UNTIL_TIME > {{ bind("since") }}::timestamp_ntz
    and not (
        FROM_TIME = {{ bind("since") }}::timestamp_ntz
        and UNTIL_TIME = {{ bind("until") }}::timestamp_ntz
        and TRUCK_ID = {{ bind("truck_id") }}
    )
order by FROM_TIME;
