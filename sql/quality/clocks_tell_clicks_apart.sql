-- name: clocks_tell_clicks_apart
-- severity: warn
-- owner: data-platform
-- meaning: A producer's clock is too coarse for an item. It counts in seconds or milliseconds, and
--   so many clicks come that distinct ones share a time. Without event ids they are one row.
-- action: Let the producer send an Event_ID, or times in microseconds (docs/producers.md). The
--   archive has every record, but can't tell a merged click from one that was sent twice.
-- reads: recent_clicks
-- notify: once
-- runbook: clicks-are-wrong
with COARSE as (
    select
        ITEM_ID,
        CLICK_TIME,
        iff(right(CLICK_TIME, 6) = '000000', 1000000, 1000) as TICK
    from STAGED_RECENT_CLICKS
    where EVENT_ID is null and right(CLICK_TIME, 3) = '000'
),

NEWEST as (
    select
        ITEM_ID,
        TICK,
        try_cast(CLICK_TIME as timestamp_ntz) as CLICK_TIME,
        row_number() over (partition by ITEM_ID, TICK order by CLICK_TIME desc) as NEWEST_FIRST
    from COARSE
),

USED as (
    -- The share of the ticks that have a click. There is at most one row per tick.
    select
        ITEM_ID,
        TICK,
        (count(*) - 1) * TICK
        / nullif(datediff('microsecond', min(CLICK_TIME), max(CLICK_TIME)), 0) as USED_SHARE
    from NEWEST
    where NEWEST_FIRST <= {{ plausible.tick_newest }}
    group by ITEM_ID, TICK
    -- Of times in microseconds, one in a thousand is a whole millisecond by chance.
    having count(*) >= {{ plausible.tick_clicks }}
)

-- If clicks come at random, more than half of USED_SHARE of them are not the first in their tick.
select
    ITEM_ID || ': at least ' || round(USED_SHARE * 500)::integer::string || ' of 1,000 clicks are'
    || ' not the first in their ' || iff(TICK = 1000, 'millisecond', 'second') as SAMPLE_KEY
from USED
where USED_SHARE / 2 >= {{ plausible.tick_merged }};
