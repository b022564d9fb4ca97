-- name: trucks_report
-- severity: warn
-- owner: data-platform
-- meaning: A registered truck has sent no reading for 15 minutes of event time.
-- action: Parked and switched off is fine. If all are silent, look at the stream, then at the pipe
--   (monitor_snowpipe); if one is, at its device, or strike it off KNOWN_TRUCKS.
-- runbook: readings-are-missing-or-late
select KNOWN_TRUCKS.TRUCK_ID as SAMPLE_KEY
from KNOWN_TRUCKS
left join TRUCK_TELEMETRY_RAW
    on
        KNOWN_TRUCKS.TRUCK_ID = TRUCK_TELEMETRY_RAW.TRUCK_ID
        and TRUCK_TELEMETRY_RAW.EVENT_TIME >= dateadd('minute', -15, sysdate())
where TRUCK_TELEMETRY_RAW.TRUCK_ID is null;
