-- When each rule last found something, for rules that could not run since.
-- Grain: one row per rule that found something since then; CHECKED_AT prunes.
select
    RULE,
    max(CHECKED_AT) as FOUND_AT
from DATA_QUALITY_RESULTS
where STATUS = 'fail' and CHECKED_AT >= {{ bind("since") }}::timestamp_ntz
group by RULE;
