-- When a rule last ran, NULL before the first time; answered from metadata.
select max(CHECKED_AT) as CHECKED_AT
from DATA_QUALITY_RESULTS;
