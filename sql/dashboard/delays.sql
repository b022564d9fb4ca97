-- Grain: one row per slice of arrival time, over the readings that arrived at or after `since`: how
-- many there are, and p50 and p95 of the seconds that each step took.
--
-- The steps are event -> arrival in the stream -> committed in RAW -> visible in the history.  A
-- reading is visible from the end of the first merge that started after its file was committed, as
-- in sql/ops/reading_to_current_row.sql.  If an envelope landed twice, the first landing counts.  A
-- step that has not happened yet is left out of that step's figures.  A clock that runs ahead is no
-- delay.
--
-- RAW is clustered by event day: a reading older than two days when it arrived is left out.
with LOADS as (
    select
        -- Path in the bucket, in the form of METADATA$FILENAME.
        regexp_replace(STAGE_LOCATION || FILE_NAME, '^s3://[^/]+/', '') as FILE_NAME,
        min(convert_timezone('UTC', LAST_LOAD_TIME)::timestamp_ntz) as LOADED_AT
    from
        table(
            information_schema.copy_history(
                table_name => 'TRUCK_TELEMETRY_RAW',
                start_time => dateadd('hour', -{{ bind("hours") }}, current_timestamp())
            )
        )
    where ROW_COUNT > 0
    group by 1
),

MOMENTS as (
    select
        FILE_NAME,
        LOADED_AT as INSTANT,
        null as FINISHED_AT
    from LOADS
    union all
    select
        null as FILE_NAME,
        STARTED_AT as INSTANT,
        FINISHED_AT
    from HISTORY_MERGE_RUNS
    where
        STARTED_AT >= to_timestamp_ntz({{ bind("since") }})
        -- A repair covers only its scope.
        and not startswith(RUN_ID, 'repair: ')
),

NEXT_MERGES as (
    select
        FILE_NAME,
        INSTANT as LOADED_AT,
        min(FINISHED_AT) over (
            order by INSTANT range between current row and unbounded following
        ) as MERGED_AT
    from MOMENTS
),

FILES as (
    select
        FILE_NAME,
        LOADED_AT,
        MERGED_AT
    from NEXT_MERGES
    where FILE_NAME is not null
),

READINGS as (
    select
        TRUCK_TELEMETRY_RAW.SHARD_ID,
        TRUCK_TELEMETRY_RAW.SEQUENCE_NUMBER,
        coalesce(TRUCK_TELEMETRY_RAW.SUB_SEQUENCE_NUMBER, 0) as SUB_SEQUENCE_NUMBER,
        min(TRUCK_TELEMETRY_RAW.EVENT_TIME) as EVENT_TIME,
        min(TRUCK_TELEMETRY_RAW.ARRIVAL_TIME) as ARRIVAL_TIME,
        min(FILES.LOADED_AT) as LOADED_AT,
        min(FILES.MERGED_AT) as MERGED_AT
    from TRUCK_TELEMETRY_RAW
    left join FILES on TRUCK_TELEMETRY_RAW.FILE_NAME = FILES.FILE_NAME
    where
        TRUCK_TELEMETRY_RAW.ARRIVAL_TIME >= to_timestamp_ntz({{ bind("since") }})
        and TRUCK_TELEMETRY_RAW.EVENT_TIME
        >= dateadd('day', -2, to_timestamp_ntz({{ bind("since") }}))
    group by 1, 2, 3
),

STEPS as (
    select
        time_slice(ARRIVAL_TIME, {{ bind("slice_seconds") }}, 'SECOND') as SLICE_START,
        greatest(0, datediff('millisecond', EVENT_TIME, ARRIVAL_TIME)) / 1000 as SENT,
        datediff('millisecond', ARRIVAL_TIME, LOADED_AT) / 1000 as LOADED,
        datediff('millisecond', LOADED_AT, MERGED_AT) / 1000 as MERGED,
        datediff('millisecond', ARRIVAL_TIME, MERGED_AT) / 1000 as TOTAL
    from READINGS
)

select
    SLICE_START,
    count(*) as READINGS,
    count(TOTAL) as MERGED_READINGS,
    percentile_cont(0.5) within group (order by SENT) as SENT_P50,
    percentile_cont(0.95) within group (order by SENT) as SENT_P95,
    percentile_cont(0.5) within group (order by LOADED) as LOADED_P50,
    percentile_cont(0.95) within group (order by LOADED) as LOADED_P95,
    percentile_cont(0.5) within group (order by MERGED) as MERGED_P50,
    percentile_cont(0.95) within group (order by MERGED) as MERGED_P95,
    percentile_cont(0.5) within group (order by TOTAL) as TOTAL_P50,
    percentile_cont(0.95) within group (order by TOTAL) as TOTAL_P95
from STEPS
group by 1
order by 1
limit {{ bind("limit") }};
