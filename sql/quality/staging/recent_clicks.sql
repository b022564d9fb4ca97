-- The newest clicks of ClickStreamData for the rules of one session; the limits are in
-- include/quality/staged_items.py.
-- Grain: one row per click.
create or replace temporary table STAGED_RECENT_CLICKS (
    -- The partition key: the time, and the event id if there is one.
    STORED_TIMESTAMP string,
    CLICK_TIME string,
    EVENT_ID string,
    ITEM_ID string,
    ITEM_NAME string,
    CLICK_COUNTS float,
    ITEM_HOUR_SHARD string,
    INGESTED_AT string,
    STREAM_NAME string,
    SHARD_ID string,
    SEQUENCE_NUMBER string,
    SUB_SEQUENCE_NUMBER string,
    ARRIVAL_TIME string
);
