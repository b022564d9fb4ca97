-- name: clicks_are_of_known_items
-- severity: warn
-- owner: data-platform
-- meaning: A recent click is of an item that ClickItems does not have, or has under another name.
--   Pages that use the catalogue miss the item, or show its old name.
-- action: If the item is missing, write it to ClickItems. Another name is fine after an item was
--   renamed, and wrong if the two names alternate.
-- reads: recent_clicks, click_items
-- runbook: clicks-are-wrong
select distinct STAGED_RECENT_CLICKS.ITEM_ID || ' ' || STAGED_RECENT_CLICKS.ITEM_NAME as SAMPLE_KEY
from STAGED_RECENT_CLICKS
left join STAGED_CLICK_ITEMS on STAGED_RECENT_CLICKS.ITEM_ID = STAGED_CLICK_ITEMS.ITEM_ID
where STAGED_RECENT_CLICKS.ITEM_NAME is distinct from STAGED_CLICK_ITEMS.ITEM_NAME;
