-- name: versions_are_complete
-- severity: fail
-- owner: data-platform
-- meaning: A version lacks its truck, its start, its load time, or whether it is current.
-- action: Find its rows in RAW (FILE_NAME names the landing file), which the contract should have
--   quarantined. Then run the DAG repair_history for the truck.
-- runbook: the-history-is-wrong
select coalesce(TRUCK_ID, '') || ' ' || coalesce(EFFECTIVE_START_DATE::string, '') as SAMPLE_KEY
from TRUCK_TELEMETRY_DATA
where
    EFFECTIVE_START_DATE is null
    or (
        EFFECTIVE_START_DATE >= {{ bind("since") }}::timestamp_ntz
        and (
            coalesce(trim(TRUCK_ID), '') = ''
            or LOAD_TIMESTAMP is null
            or IS_CURRENT is null
        )
    );
