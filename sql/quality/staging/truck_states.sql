-- TruckLatestState for the rules of one session.
-- Grain: one row per truck.
create or replace temporary table STAGED_TRUCK_STATES (
    TRUCK_ID string,
    EVENT_TIME string,
    RECENCY string,
    INGESTED_AT string,
    STREAM_NAME string,
    SHARD_ID string,
    SEQUENCE_NUMBER string,
    SUB_SEQUENCE_NUMBER string,
    {%- for metric in metrics %}
        {{ metric.name | upper }} {{ "float" if metric.kind == "number" else "string" }},
    {%- endfor %}
    ARRIVAL_TIME string,
    -- The id in printable ASCII; and one text for all ids that look the same.
    SPELLED_OUT string,
    LOOKS_LIKE string
);
