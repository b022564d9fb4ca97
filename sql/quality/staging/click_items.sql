-- ClickItems, as rules can read it: one row an item, for the time of a session.
create or replace temporary table STAGED_CLICK_ITEMS (
    ITEM_ID string,
    ITEM_NAME string
);
