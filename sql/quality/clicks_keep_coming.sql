-- name: clicks_keep_coming
-- severity: warn
-- owner: data-platform
-- meaning: An item with many clicks in the last hour has had none for half an hour.
-- action: If all items are silent, check the stream and its function (runbook stream_lag). If one
--   is, check whether the site still offers it.
-- reads: recent_clicks
-- runbook: clicks-are-wrong
select ITEM_ID || ' since ' || max(CLICK_TIME) as SAMPLE_KEY
from STAGED_RECENT_CLICKS
group by ITEM_ID
having
    count(*) >= 20
    and max(CLICK_TIME)
    < to_char(dateadd('minute', -30, sysdate()), 'YYYY-MM-DD"T"HH24:MI:SS.FF6');
