-- name: readings_are_not_from_the_future
-- severity: fail
-- owner: data-platform
-- meaning: A reading's event time is later than its arrival, by more than a clock may be wrong. It
--   hides the truck's real readings until that time.
-- action: The contract quarantines such readings, so something beside TruckDataProcessor writes to
--   the landing zone. FILE_NAME in TRUCK_TELEMETRY_RAW names the file.
-- runbook: raw-holds-what-it-should-not
select distinct TRUCK_ID || ' ' || {{ time_text("EVENT_TIME") }} as SAMPLE_KEY
from TRUCK_TELEMETRY_RAW
where
    EVENT_TIME >= {{ bind("since") }}::timestamp_ntz
    and EVENT_TIME > dateadd('minute', {{ limits.clock_skew_minutes }}, ARRIVAL_TIME);
