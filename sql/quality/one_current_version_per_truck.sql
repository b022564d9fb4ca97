-- name: one_current_version_per_truck
-- severity: fail
-- owner: data-platform
-- meaning: A truck has no current version, or more than one: whoever asks where it is gets none or
--   two answers.
-- action: Rebuild the history (sql/ops/rebuild_history.sql), then look for what else wrote to it.
select TRUCK_ID as SAMPLE_KEY
from TRUCK_TELEMETRY_DATA
group by TRUCK_ID
having count_if(IS_CURRENT) <> 1;
