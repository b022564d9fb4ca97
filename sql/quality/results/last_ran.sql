-- When each rule could last run.
-- Grain: one row per rule.  It reads all results that are kept: it is asked only after an error.
select
    RULE,
    max(CHECKED_AT) as RAN_AT
from DATA_QUALITY_RESULTS
where STATUS in ('pass', 'fail')
group by RULE;
