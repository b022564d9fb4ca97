-- name: assignments_do_not_overlap
-- severity: fail
-- owner: data-platform
-- meaning: Two assignments of one reported id share an instant, or a period ends before it begins.
--   TRUCK_HISTORY has the readings of both periods twice, in two trucks.
-- action: Somebody wrote TRACKER_ASSIGNMENTS by hand. Undo the wrong assignment with the DAG
--   fleet_register, which refuses overlapping periods.
-- runbook: an-assignment-is-wrong
with PERIODS as (
    select
        REPORTED_ID,
        FROM_TIME,
        UNTIL_TIME,
        lead(FROM_TIME) over (
            partition by REPORTED_ID
            order by FROM_TIME, UNTIL_TIME
        ) as NEXT_FROM_TIME
    from TRACKER_ASSIGNMENTS
)

select REPORTED_ID || ' ' || {{ time_text("FROM_TIME") }} as SAMPLE_KEY
from PERIODS
where
    NEXT_FROM_TIME < UNTIL_TIME
    or FROM_TIME >= UNTIL_TIME;
