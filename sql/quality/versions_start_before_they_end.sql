-- name: versions_start_before_they_end
-- severity: fail
-- owner: data-platform
-- meaning: A version ends before or as it starts, or is called current though it has an end (or the
--   other way round).
-- action: Run the DAG repair_history for the truck, then look for what else wrote to its history.
-- runbook: the-history-is-wrong
select TRUCK_ID || ' ' || EFFECTIVE_START_DATE::string as SAMPLE_KEY
from TRUCK_TELEMETRY_DATA
where
    EFFECTIVE_START_DATE >= {{ bind("since") }}::timestamp_ntz
    and (
        EFFECTIVE_START_DATE >= EFFECTIVE_END_DATE
        or IS_CURRENT is distinct from (EFFECTIVE_END_DATE is null)
    );
