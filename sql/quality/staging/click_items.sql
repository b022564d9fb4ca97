-- ClickItems for the rules of one session.
-- Grain: one row per item.
create or replace temporary table STAGED_CLICK_ITEMS (
    ITEM_ID string,
    ITEM_NAME string
);
