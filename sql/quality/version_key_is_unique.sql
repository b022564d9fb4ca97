-- name: version_key_is_unique
-- severity: fail
-- owner: data-platform
-- meaning: Two versions of a truck start at the same instant.
-- action: Rebuild the history (sql/ops/rebuild_history.sql), then look for what else wrote to it.
select TRUCK_ID || ' ' || EFFECTIVE_START_DATE::string as SAMPLE_KEY
from TRUCK_TELEMETRY_DATA
group by TRUCK_ID, EFFECTIVE_START_DATE
having count(*) > 1;
