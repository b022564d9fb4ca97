-- Grain: one row per quality rule, its last result.
select
    rule,
    severity,
    status,
    failed_count,
    samples,
    message,
    checked_at,
    run_id
from data_quality_results
qualify row_number() over (partition by rule order by checked_at desc) = 1
order by rule
