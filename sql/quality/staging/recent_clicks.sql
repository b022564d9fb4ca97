-- The newest clicks of ClickStreamData (include/quality/staged_items.py says how many), as rules can read
-- them: one row a click, for the time of a session.
create or replace temporary table STAGED_RECENT_CLICKS (
    CLICK_TIME string,
    ITEM_ID string,
    ITEM_NAME string,
    CLICK_COUNTS float,
    ITEM_HOUR_SHARD string,
    INGESTED_AT string,
    STREAM_NAME string,
    SHARD_ID string,
    SEQUENCE_NUMBER string,
    ARRIVAL_TIME string
);
