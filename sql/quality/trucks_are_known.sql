-- name: trucks_are_known
-- severity: warn
-- owner: data-platform
-- meaning: A truck that is not in the register of the fleet sends readings.
-- action: Register it in KNOWN_TRUCKS, or find out who sends in its name.
-- runbook: a-truck-is-odd
select TRUCK_TELEMETRY_DATA.TRUCK_ID as SAMPLE_KEY
from TRUCK_TELEMETRY_DATA
left join KNOWN_TRUCKS on TRUCK_TELEMETRY_DATA.TRUCK_ID = KNOWN_TRUCKS.TRUCK_ID
where
    TRUCK_TELEMETRY_DATA.IS_CURRENT
    and KNOWN_TRUCKS.TRUCK_ID is null;
