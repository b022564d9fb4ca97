-- name: clicks_are_where_they_are_looked_for
-- severity: fail
-- owner: data-platform
-- meaning: A recent click's index key is not that of its item and hour (Item_ID#hour#shard), so the
--   dashboard counts it for another item or hour, or not at all.
-- action: Find out what writes Item_Hour_Shard differently from KinesisToDynamoDBProcessor. Then
--   write the items again with the right key (python -m include.rebuild).
-- reads: recent_clicks
-- runbook: clicks-are-wrong
select STORED_TIMESTAMP || ' ' || ITEM_ID || ' in ' || coalesce(ITEM_HOUR_SHARD, '') as SAMPLE_KEY
from STAGED_RECENT_CLICKS
where
    not coalesce(startswith(ITEM_HOUR_SHARD, ITEM_ID || '#' || left(CLICK_TIME, 13) || '#'), false)
    or not split_part(ITEM_HOUR_SHARD, '#', -1) rlike '[0-9]+';
