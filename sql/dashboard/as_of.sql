-- The version of one truck that was valid at INSTANT (UTC), or no row.
-- Intervals are half-open: a version ends where the next one starts.
select
    TRUCK_ID,
    LOAD_TIMESTAMP,
    EFFECTIVE_START_DATE,
    EFFECTIVE_END_DATE,
    IS_CURRENT,
    {{ attributes() }}
from TRUCK_TELEMETRY_DATA
where
    TRUCK_ID = {{ bind("truck_id") }}
    and EFFECTIVE_START_DATE <= to_timestamp_ntz({{ bind("instant") }})
    and (
        EFFECTIVE_END_DATE is null
        or EFFECTIVE_END_DATE > to_timestamp_ntz({{ bind("instant") }})
    );
