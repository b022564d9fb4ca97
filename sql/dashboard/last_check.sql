-- When a quality rule last ran.
-- Grain: one row, NULL before the first run.  Answered from metadata.  It bounds the other
-- statements by a constant: a bound by a subquery would not keep Snowflake from reading 30 days.
select max(CHECKED_AT) as CHECKED_AT
from DATA_QUALITY_RESULTS;
