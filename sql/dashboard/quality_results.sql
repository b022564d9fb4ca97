-- Grain: one row per quality rule, its last result.
select
    RULE,
    SEVERITY,
    STATUS,
    FAILED_COUNT,
    SAMPLES,
    MESSAGE,
    CHECKED_AT,
    RUN_ID
from DATA_QUALITY_RESULTS
qualify row_number() over (partition by RULE order by CHECKED_AT desc) = 1
order by RULE;
