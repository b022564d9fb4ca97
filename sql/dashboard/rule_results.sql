-- Grain: one row per check of data_quality, the results of one rule, newest first.
select
    RUN_ID,
    SEVERITY,
    STATUS,
    FAILED_COUNT,
    SAMPLES,
    MESSAGE,
    CHECKED_AT,
    FAILING_SINCE
from DATA_QUALITY_RESULTS
where
    RULE = {{ bind("rule") }}
    and STATUS <> 'removed'
order by CHECKED_AT desc
limit {{ bind("limit") }};
