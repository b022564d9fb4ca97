-- Grain: one row, when a rule last ran; NULL before the first run.  Answered from metadata.
select max(CHECKED_AT) as CHECKED_AT
from DATA_QUALITY_RESULTS;
