-- ClickItems for the rules of one session.
-- Grain: one row per item.
create or replace temporary table STAGED_CLICK_ITEMS (
    ITEM_ID string,
    ITEM_NAME string,
    -- The id in printable ASCII; and one text for all ids that look the same.
    SPELLED_OUT string,
    LOOKS_LIKE string
);
