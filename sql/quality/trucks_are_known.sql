-- name: trucks_are_known
-- severity: warn
-- owner: data-platform
-- meaning: A truck that is not in the register of the fleet sends readings.
-- action: Register it, or assign its readings to the truck that got this tracker (DAG
--   fleet_register). Or find out who sends in its name.
-- runbook: a-truck-is-odd
select distinct coalesce(ASSIGNED.TRUCK_ID, VERSIONS.TRUCK_ID) as SAMPLE_KEY
from TRUCK_TELEMETRY_DATA as VERSIONS
-- Readings since the current version began may belong to another truck.
left join TRACKER_ASSIGNMENTS as ASSIGNED
    on
        VERSIONS.TRUCK_ID = ASSIGNED.REPORTED_ID
        and VERSIONS.EFFECTIVE_START_DATE < ASSIGNED.UNTIL_TIME
left join FLEET on coalesce(ASSIGNED.TRUCK_ID, VERSIONS.TRUCK_ID) = FLEET.TRUCK_ID
where
    VERSIONS.IS_CURRENT
    and FLEET.TRUCK_ID is null;
