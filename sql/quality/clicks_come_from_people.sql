-- name: clicks_come_from_people
-- severity: warn
-- owner: data-platform
-- meaning: The newest clicks of an item come at regular intervals, as from a robot. People click at
--   random.
-- action: Find the sender in the site's logs by the times of the clicks, and block it. Its clicks
--   are stored and counted; their archive tells them apart by their times only.
-- reads: recent_clicks
-- notify: once
-- runbook: clicks-are-wrong
with INSTANTS as (
    -- Clicks with event ids can share an instant.
    select distinct
        ITEM_ID,
        CLICK_TIME
    from STAGED_RECENT_CLICKS
),

TIMES as (
    select
        ITEM_ID,
        CLICK_TIME as WRITTEN,
        try_cast(CLICK_TIME as timestamp_ntz) as CLICK_TIME,
        row_number() over (partition by ITEM_ID order by CLICK_TIME desc) as NEWEST_FIRST
    from INSTANTS
),

GAPS as (
    select
        ITEM_ID,
        CLICK_TIME,
        WRITTEN,
        datediff(
            'microsecond',
            lag(CLICK_TIME) over (partition by ITEM_ID order by CLICK_TIME),
            CLICK_TIME
        ) / 1000 as GAP
    from TIMES
    where NEWEST_FIRST <= {{ plausible.robot_newest }}
),

USUAL as (
    select
        ITEM_ID,
        max(WRITTEN) as WRITTEN,
        count(GAP) as GAPS,
        median(GAP) as GAP
    from GAPS
    group by ITEM_ID
    having
        count(GAP) >= {{ plausible.robot_clicks }}
        and median(GAP) <= {{ plausible.robot_slowest }}
        -- Times in whole seconds are regular for any popular item, and those in milliseconds for
        -- one with thousands of clicks per second: there is a click in every instant.
        and max(right(WRITTEN, 6)) > '000000'
        and (max(right(WRITTEN, 3)) > '000' or median(GAP) > 1)
)

select
    USUAL.ITEM_ID || ' every ' || round(min(USUAL.GAP))::integer::string || ' ms until '
    || min(USUAL.WRITTEN) as SAMPLE_KEY
from USUAL
inner join GAPS on USUAL.ITEM_ID = GAPS.ITEM_ID
where abs(GAPS.GAP - USUAL.GAP) <= {{ plausible.robot_jitter }} * USUAL.GAP
group by USUAL.ITEM_ID
having count(*) >= {{ plausible.robot_share }} * min(USUAL.GAPS);
