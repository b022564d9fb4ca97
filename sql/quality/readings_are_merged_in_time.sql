-- name: readings_are_merged_in_time
-- severity: fail
-- owner: data-platform
-- meaning: Readings have waited in RAW for more than 15 minutes and are not merged: the history is
--   behind.
-- action: Check whether scd2_merge is paused, queued behind a repair (pool history_writer) or
--   failing. If the stream is stale, recreate it and rebuild the history (DAG repair_history).
-- runbook: readings-are-missing-or-late
select distinct TRUCK_ID as SAMPLE_KEY
from TRUCK_TELEMETRY_STREAM
where LOAD_TIMESTAMP < dateadd('minute', -15, sysdate());
