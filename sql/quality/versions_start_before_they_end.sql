-- name: versions_start_before_they_end
-- severity: fail
-- owner: data-platform
-- meaning: A version ends before or as it starts, or is called current though it has an end (or the
--   other way round).
-- action: Rebuild the history (sql/ops/rebuild_history.sql), then look for what else wrote to it.
select TRUCK_ID || ' ' || EFFECTIVE_START_DATE::string as SAMPLE_KEY
from TRUCK_TELEMETRY_DATA
where
    EFFECTIVE_START_DATE >= EFFECTIVE_END_DATE
    or IS_CURRENT is distinct from (EFFECTIVE_END_DATE is null);
