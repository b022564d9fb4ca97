-- name: versions_are_complete
-- severity: fail
-- owner: data-platform
-- meaning: A version lacks its truck, its start, its load time, or whether it is current; or the
--   truck's id is blank, padded with white space or has control characters.
-- action: Find its rows in RAW (FILE_NAME names the landing file), which the contract should have
--   quarantined, and delete them. Then run the DAG repair_history for the truck. An id that an
--   older contract accepted: erase the truck (DAG erase_truck).
-- runbook: the-history-is-wrong
select
    coalesce(TRUCK_ID, '') || ' '
    || coalesce({{ time_text("EFFECTIVE_START_DATE") }}, '') as SAMPLE_KEY
from TRUCK_TELEMETRY_DATA
where
    EFFECTIVE_START_DATE is null
    or (
        EFFECTIVE_START_DATE >= {{ bind("since") }}::timestamp_ntz
        and (
            not coalesce({{ is_id("TRUCK_ID", limits.truck_id_length) }}, false)
            or LOAD_TIMESTAMP is null
            or IS_CURRENT is null
        )
    );
