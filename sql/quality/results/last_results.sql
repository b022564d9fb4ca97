-- The results of the last run, whichever that was: this run continues them.
-- Grain: one row per rule.  It reads only the newest results: they are stored in the order of time,
-- so CHECKED_AT prunes.
with NEWEST as (
    select
        RUN_ID,
        RULE,
        SEVERITY,
        STATUS,
        CHECKED_AT,
        FAILING_SINCE,
        ALERTED_AT,
        first_value(RUN_ID) over (order by CHECKED_AT desc, RUN_ID asc) as LAST_RUN_ID
    from DATA_QUALITY_RESULTS
    where CHECKED_AT >= {{ bind("since") }}::timestamp_ntz
)

select
    RULE,
    SEVERITY,
    STATUS,
    CHECKED_AT,
    FAILING_SINCE,
    ALERTED_AT
from NEWEST
where RUN_ID = LAST_RUN_ID;
