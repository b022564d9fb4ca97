-- name: clicks_are_of_known_items
-- severity: warn
-- owner: data-platform
-- meaning: A recent click is of an item that ClickItems does not have, or has under another name:
--   pages that go by the catalogue miss it, or show it under the old name.
-- action: Not there: write the item to ClickItems. Another name: fine after an item was renamed,
--   odd if the two names take turns.
-- reads: recent_clicks, click_items
-- runbook: clicks-are-wrong
select distinct STAGED_RECENT_CLICKS.ITEM_ID || ' ' || STAGED_RECENT_CLICKS.ITEM_NAME as SAMPLE_KEY
from STAGED_RECENT_CLICKS
left join STAGED_CLICK_ITEMS on STAGED_RECENT_CLICKS.ITEM_ID = STAGED_CLICK_ITEMS.ITEM_ID
where STAGED_RECENT_CLICKS.ITEM_NAME is distinct from STAGED_CLICK_ITEMS.ITEM_NAME;
