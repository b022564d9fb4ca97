-- name: one_current_version_per_truck
-- severity: fail
-- owner: data-platform
-- meaning: A truck has no current version, or more than one, so a query for its position returns no
--   row or two.
-- action: Run the DAG repair_history for the truck, then find out what else writes its history.
-- runbook: the-history-is-wrong
select TRUCK_ID as SAMPLE_KEY
from TRUCK_TELEMETRY_DATA
where IS_CURRENT or EFFECTIVE_START_DATE >= {{ bind("since") }}::timestamp_ntz
group by TRUCK_ID
having count_if(IS_CURRENT) <> 1;
