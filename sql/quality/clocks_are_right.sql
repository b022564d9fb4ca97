-- name: clocks_are_right
-- severity: warn
-- owner: data-platform
-- meaning: A reading's event time is weeks or years before its arrival: the clock of the device is
--   wrong. The reading is in the history of that time, and the current version stays old.
-- action: 1024 weeks is the week rollover of GPS and needs new firmware. 1970, 1980 or 2000 is a
--   clock that was never set.
-- reads: new_readings
-- notify: once
-- runbook: a-reading-is-implausible
with LATE as (
    select
        TRUCK_ID,
        EVENT_TIME,
        ARRIVAL_TIME,
        datediff('hour', EVENT_TIME, ARRIVAL_TIME) / 24 as DAYS
    from STAGED_NEW_READINGS
    where EVENT_TIME < dateadd('day', -{{ plausible.late_days }}, ARRIVAL_TIME)
)

select
    TRUCK_ID,
    EVENT_TIME,
    1 as READINGS,
    round(DAYS)::integer::string || ' days before arrival'
    || case
        when abs(DAYS - 7168) <= 1 then ': GPS week rollover (1024 weeks)'
        when abs(DAYS - 14336) <= 1 then ': GPS week rollover (2048 weeks)'
        when EVENT_TIME < '1970-01-03'::timestamp_ntz then ': a clock that starts at 1970'
        when to_date(EVENT_TIME) between '1980-01-01' and '1980-01-07'
            then ': a clock that starts at 1980'
        when to_date(EVENT_TIME) between '2000-01-01' and '2000-01-02'
            then ': a clock that starts at 2000'
        else ''
    end as SAMPLE_KEY
from LATE;
