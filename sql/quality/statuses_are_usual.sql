-- name: statuses_are_usual
-- severity: warn
-- owner: data-platform
-- meaning: A truck reports an unknown status. Known are Good and Needs Inspection (brakes), and
--   Operational and Needs Maintenance (transmission).
-- action: Ask the maker of the device what it means, then add it here and to the dashboard.
-- runbook: a-truck-is-odd
select
    TRUCK_ID || ' ' || coalesce(BRAKE_STATUS, '-') || ' / '
    || coalesce(TRANSMISSION_STATUS, '-') as SAMPLE_KEY
from TRUCK_TELEMETRY_DATA
where
    IS_CURRENT
    -- The last version of a truck that left the fleet is kept as it was last seen.
    and TRUCK_ID not in (
        select FLEET.TRUCK_ID
        from FLEET
        where FLEET.RETIRED_AT <= sysdate()
    )
    and (
        BRAKE_STATUS not in ('Good', 'Needs Inspection')
        or TRANSMISSION_STATUS not in ('Operational', 'Needs Maintenance')
    );
