-- How long readings took from Kinesis to the history: their number, and p50 and p95 in seconds.
-- Grain: one row.
--
-- The time runs from the arrival of a record in its stream to the end of the first merge that made
-- it visible.  That is the first merge that started after Snowpipe committed the record's file,
-- even if the reading changed nothing.  If an envelope landed twice, the first landing counts.
-- Readings that no merge has seen yet are left out, as are loads before COPY_HISTORY's 14 days (it
-- refuses a start that is a moment older).
with LOADS as (
    select
        -- Path in the bucket, in the form of METADATA$FILENAME.
        regexp_replace(STAGE_LOCATION || FILE_NAME, '^s3://[^/]+/', '') as FILE_NAME,
        min(convert_timezone('UTC', LAST_LOAD_TIME)::timestamp_ntz) as LOADED_AT
    from
        table(
            INFORMATION_SCHEMA.COPY_HISTORY(
                TABLE_NAME => 'TRUCK_TELEMETRY_RAW',
                START_TIME => dateadd('minute', 10 - 14 * 24 * 60, current_timestamp())
            )
        )
    where ROW_COUNT > 0
    group by 1
),

FILES as (
    select
        LOADS.FILE_NAME,
        min(HISTORY_MERGE_RUNS.FINISHED_AT) as VISIBLE_AT
    from LOADS
    inner join HISTORY_MERGE_RUNS on LOADS.LOADED_AT <= HISTORY_MERGE_RUNS.STARTED_AT
    -- A repair covers only its scope.
    where HISTORY_MERGE_RUNS.RUN_ID not like 'repair: %'
    group by 1
),

READINGS as (
    select
        TRUCK_TELEMETRY_RAW.STREAM_NAME,
        TRUCK_TELEMETRY_RAW.SHARD_ID,
        TRUCK_TELEMETRY_RAW.SEQUENCE_NUMBER,
        TRUCK_TELEMETRY_RAW.SUB_SEQUENCE_NUMBER,
        min(
            datediff('millisecond', TRUCK_TELEMETRY_RAW.ARRIVAL_TIME, FILES.VISIBLE_AT) / 1000
        ) as SECONDS
    from TRUCK_TELEMETRY_RAW
    inner join FILES on TRUCK_TELEMETRY_RAW.FILE_NAME = FILES.FILE_NAME
    group by 1, 2, 3, 4
)

select
    count(*) as READINGS,
    percentile_cont(0.5) within group (order by SECONDS) as P50_SECONDS,
    percentile_cont(0.95) within group (order by SECONDS) as P95_SECONDS
from READINGS;
