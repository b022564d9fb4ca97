-- Grain: one row per quality rule and run, the newest `runs` results of each rule that the last run
-- checked, newest first.  Every run has a result for every rule.
with RECENT as (
    select
        RULE,
        SEVERITY,
        STATUS,
        FAILED_COUNT,
        CHECKED_AT,
        RUN_ID,
        row_number() over (partition by RULE order by CHECKED_AT desc, RUN_ID asc) as NUMBER
    from DATA_QUALITY_RESULTS
    -- The table is written in the order of time: this bounds how much of its 30 days is read.
    where CHECKED_AT >= dateadd('day', -2, {{ bind("last_check") }}::timestamp_ntz)
)

select
    RULE,
    SEVERITY,
    STATUS,
    FAILED_COUNT,
    CHECKED_AT,
    RUN_ID
from RECENT
where
    NUMBER <= {{ bind("runs") }}
    and STATUS <> 'removed'
order by CHECKED_AT desc, RULE asc
limit {{ bind("limit") }};
