-- name: version_key_is_unique
-- severity: fail
-- owner: data-platform
-- meaning: Two versions of a truck start at the same instant.
-- action: Run the DAG repair_history for the truck, then find out what else writes its history.
-- runbook: the-history-is-wrong
select TRUCK_ID || ' ' || {{ time_text("EFFECTIVE_START_DATE") }} as SAMPLE_KEY
from TRUCK_TELEMETRY_DATA
where EFFECTIVE_START_DATE >= {{ bind("since") }}::timestamp_ntz
group by TRUCK_ID, EFFECTIVE_START_DATE
having count(*) > 1;
