-- name: trucks_report
-- severity: warn
-- owner: data-platform
-- meaning: A truck of the fleet has sent no reading for 15 minutes of event time.
-- action: A parked truck may be silent. If all trucks are, check the stream, then the pipe
--   (monitor_snowpipe). If one is, check its device. If it left the fleet, retire it; if it got
--   another tracker, assign the tracker's readings to it (DAG fleet_register).
-- runbook: readings-are-missing-or-late
with REPORTED as (
    select coalesce(ASSIGNED.TRUCK_ID, RAW.TRUCK_ID) as TRUCK_ID
    from TRUCK_TELEMETRY_RAW as RAW
    left join TRACKER_ASSIGNMENTS as ASSIGNED
        on
            RAW.TRUCK_ID = ASSIGNED.REPORTED_ID
            and RAW.EVENT_TIME >= ASSIGNED.FROM_TIME
            and RAW.EVENT_TIME < ASSIGNED.UNTIL_TIME
    where RAW.EVENT_TIME >= dateadd('minute', -15, sysdate())
)

select FLEET.TRUCK_ID as SAMPLE_KEY
from FLEET
left join REPORTED on FLEET.TRUCK_ID = REPORTED.TRUCK_ID
where
    REPORTED.TRUCK_ID is null
    and coalesce(FLEET.RETIRED_AT > sysdate(), true);
