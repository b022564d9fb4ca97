-- Grain: one row, the version of one truck that was valid at `instant` (UTC), or no row.
-- Intervals are half-open: a version ends where the next one starts.
select
    {{ history_columns() }},
    REPORTED_ID
from TRUCK_HISTORY
where
    TRUCK_ID = {{ bind("truck_id") }}
    and EFFECTIVE_START_DATE <= to_timestamp_ntz({{ bind("instant") }})
    and (
        EFFECTIVE_END_DATE is null
        or EFFECTIVE_END_DATE > to_timestamp_ntz({{ bind("instant") }})
    );
