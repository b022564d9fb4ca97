-- Grain: one row per rule and truck with implausible readings in the last `hours` hours.
select
    RULE,
    TRUCK_ID,
    READINGS,
    FIRST_FOUND_AT,
    EVENT_TIME,
    DETAIL
from PLAUSIBILITY_FINDINGS
where LAST_FOUND_AT >= dateadd('hour', -{{ bind("hours") }}, sysdate())
order by READINGS desc, TRUCK_ID asc, RULE asc
limit {{ bind("limit") }};
