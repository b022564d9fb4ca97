-- name: retired_trucks_are_silent
-- severity: warn
-- owner: data-platform
-- meaning: A truck sent a reading for an instant after it left the fleet. The sample has the first
--   such instant.
-- action: If it is in the fleet again, register it again. If it left later, retire it with that
--   date. If its tracker is in another truck now, assign the readings to that truck (DAG
--   fleet_register). Otherwise find out who sends in its name.
-- notify: once
-- runbook: a-truck-is-odd
with READINGS as (
    select
        RAW.EVENT_TIME,
        coalesce(ASSIGNED.TRUCK_ID, RAW.TRUCK_ID) as TRUCK_ID
    from TRUCK_TELEMETRY_RAW as RAW
    left join TRACKER_ASSIGNMENTS as ASSIGNED
        on
            RAW.TRUCK_ID = ASSIGNED.REPORTED_ID
            and RAW.EVENT_TIME >= ASSIGNED.FROM_TIME
            and RAW.EVENT_TIME < ASSIGNED.UNTIL_TIME
    where RAW.EVENT_TIME >= {{ bind("since") }}::timestamp_ntz
)

select READINGS.TRUCK_ID || ' ' || {{ time_text("min(READINGS.EVENT_TIME)") }} as SAMPLE_KEY
from READINGS
inner join FLEET
    on READINGS.TRUCK_ID = FLEET.TRUCK_ID and READINGS.EVENT_TIME > FLEET.RETIRED_AT
group by READINGS.TRUCK_ID;
