-- name: trucks_report
-- severity: warn
-- owner: data-platform
-- meaning: A registered truck has sent no reading for 15 minutes of event time.
-- action: A parked truck may be silent. If all trucks are, check the stream, then the pipe
--   (monitor_snowpipe). If one is, check its device, or remove it from KNOWN_TRUCKS.
-- runbook: readings-are-missing-or-late
select KNOWN_TRUCKS.TRUCK_ID as SAMPLE_KEY
from KNOWN_TRUCKS
left join TRUCK_TELEMETRY_RAW
    on
        KNOWN_TRUCKS.TRUCK_ID = TRUCK_TELEMETRY_RAW.TRUCK_ID
        and TRUCK_TELEMETRY_RAW.EVENT_TIME >= dateadd('minute', -15, sysdate())
where TRUCK_TELEMETRY_RAW.TRUCK_ID is null;
