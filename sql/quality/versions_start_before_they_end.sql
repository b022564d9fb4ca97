-- name: versions_start_before_they_end
-- severity: fail
-- owner: data-platform
-- meaning: A version ends before it starts or at its start, or IS_CURRENT contradicts its end.
-- action: Run the DAG repair_history for the truck, then find out what else writes its history.
-- runbook: the-history-is-wrong
select TRUCK_ID || ' ' || {{ time_text("EFFECTIVE_START_DATE") }} as SAMPLE_KEY
from TRUCK_TELEMETRY_DATA
where
    EFFECTIVE_START_DATE >= {{ bind("since") }}::timestamp_ntz
    and (
        EFFECTIVE_START_DATE >= EFFECTIVE_END_DATE
        or IS_CURRENT is distinct from (EFFECTIVE_END_DATE is null)
    );
