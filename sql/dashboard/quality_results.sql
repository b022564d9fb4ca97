-- Grain: one row per quality rule, its result in the last run.  Every run has a result for every
-- rule.
with NEWEST as (
    select
        RULE,
        SEVERITY,
        STATUS,
        FAILED_COUNT,
        SAMPLES,
        MESSAGE,
        CHECKED_AT,
        FAILING_SINCE,
        RUN_ID,
        first_value(RUN_ID) over (order by CHECKED_AT desc, RUN_ID asc) as LAST_RUN_ID
    from DATA_QUALITY_RESULTS
    -- An hour is longer than a run takes.
    where CHECKED_AT >= dateadd('hour', -1, {{ bind("last_check") }}::timestamp_ntz)
)

select
    RULE,
    SEVERITY,
    STATUS,
    FAILED_COUNT,
    SAMPLES,
    MESSAGE,
    CHECKED_AT,
    FAILING_SINCE,
    RUN_ID
from NEWEST
where
    RUN_ID = LAST_RUN_ID
    and STATUS <> 'removed'
order by RULE;
