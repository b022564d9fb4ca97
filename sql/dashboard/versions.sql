-- Grain: one row per version of one truck that is valid in [since, until], newest first, and the
-- one before them, which says what the oldest of them changed.
select
    {{ history_columns() }},
    REPORTED_ID
from TRUCK_HISTORY
where
    TRUCK_ID = {{ bind("truck_id") }}
    and EFFECTIVE_START_DATE <= to_timestamp_ntz({{ bind("until") }})
    and (
        EFFECTIVE_END_DATE is null
        or EFFECTIVE_END_DATE >= to_timestamp_ntz({{ bind("since") }})
    )
order by EFFECTIVE_START_DATE desc
limit {{ bind("limit") }};
