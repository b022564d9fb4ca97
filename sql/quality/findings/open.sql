-- What is implausible now: the trucks with most implausible readings per rule.
-- Grain: one row per rule and truck, at most twenty per rule.  TRUCKS, ALL_READINGS and
-- NEWEST_AGE (ms since its newest truck was found) are those of the whole rule.
select
    RULE,
    TRUCK_ID,
    READINGS,
    EVENT_TIME,
    DETAIL,
    count(*) over (partition by RULE) as TRUCKS,
    sum(READINGS) over (partition by RULE)::integer as ALL_READINGS,
    datediff(
        'millisecond', max(FIRST_FOUND_AT) over (partition by RULE), sysdate()
    ) as NEWEST_AGE
from PLAUSIBILITY_FINDINGS
where
    LAST_FOUND_AT >= dateadd('hour', -{{ plausible.open_hours | int }}, sysdate())
    -- One or two readings can have this ratio by chance.
    and (RULE <> 'speeds_have_one_unit' or READINGS >= {{ plausible.unit_readings }})
qualify row_number() over (partition by RULE order by READINGS desc, TRUCK_ID asc) <= 20
order by RULE asc, READINGS desc, TRUCK_ID asc;
