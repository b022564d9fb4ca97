-- The readings in RAW that arrived from `since` to before `until`, and whether the history covers
-- them.
--
-- Grain         one row per envelope and content (a quality rule checks that it has one content).
-- STATE         covered: it is in a version with its attributes, or another reading of its instant
--               counts.  waiting: the stream has it, so the next merge covers it.  uncovered.
-- Pruning       Snowpipe loads in the order of arrival, so micro-partitions of RAW have narrow
--               ranges of ARRIVAL_TIME.  EVENT_TIME, by which RAW is clustered, can't prune here:
--               a reading can be late by any time.  Other scans start at `earliest`, the earliest
--               event of the hour (earliest_of_hour.sql): a constant prunes, a subquery would not.
--               They read the history only of the trucks that reported.
-- Selecting from the stream consumes nothing.
with ARRIVED as (
    select
        TRUCK_ID,
        EVENT_TIME,
        SHARD_ID,
        SEQUENCE_NUMBER,
        coalesce(SUB_SEQUENCE_NUMBER, 0) as SUB_SEQUENCE_NUMBER,
        min(LOAD_TIMESTAMP) as LOAD_TIMESTAMP
    from TRUCK_TELEMETRY_RAW
    where
        ARRIVAL_TIME >= {{ bind("since") }}::timestamp_ntz
        and ARRIVAL_TIME < {{ bind("until") }}::timestamp_ntz
    group by TRUCK_ID, EVENT_TIME, SHARD_ID, SEQUENCE_NUMBER, coalesce(SUB_SEQUENCE_NUMBER, 0)
),

TRUCKS as (
    select
        TRUCK_ID,
        min(EVENT_TIME) as FIRST_TIME
    from ARRIVED
    group by TRUCK_ID
),

INSTANTS as (
    select distinct
        TRUCK_ID,
        EVENT_TIME
    from ARRIVED
),

-- One per instant, by the merge's own window.
READINGS as (
    select
        RAW.TRUCK_ID,
        RAW.EVENT_TIME,
        RAW.SHARD_ID,
        RAW.SEQUENCE_NUMBER,
        coalesce(RAW.SUB_SEQUENCE_NUMBER, 0) as SUB_SEQUENCE_NUMBER,
        hash({{ attributes("RAW") }}) as STATE
    from TRUCK_TELEMETRY_RAW as RAW
    inner join INSTANTS
        on RAW.TRUCK_ID = INSTANTS.TRUCK_ID and RAW.EVENT_TIME = INSTANTS.EVENT_TIME
    where RAW.EVENT_TIME >= {{ bind("earliest") }}::timestamp_ntz
    qualify row_number() over ({{ last_arrival_first("RAW") }}) = 1
),

-- Two branches, because `is current or ends later` in one condition prunes nothing.
VERSIONS as (
    select
        STORED.TRUCK_ID,
        STORED.EFFECTIVE_START_DATE,
        '9999-12-31'::timestamp_ntz as EFFECTIVE_END_DATE,
        hash({{ attributes("STORED") }}) as STATE
    from TRUCK_TELEMETRY_DATA as STORED
    inner join TRUCKS on STORED.TRUCK_ID = TRUCKS.TRUCK_ID
    where STORED.IS_CURRENT
    union all
    select
        STORED.TRUCK_ID,
        STORED.EFFECTIVE_START_DATE,
        STORED.EFFECTIVE_END_DATE,
        hash({{ attributes("STORED") }}) as STATE
    from TRUCK_TELEMETRY_DATA as STORED
    inner join TRUCKS
        on
            STORED.TRUCK_ID = TRUCKS.TRUCK_ID
            and STORED.EFFECTIVE_END_DATE > TRUCKS.FIRST_TIME
    where
        not STORED.IS_CURRENT
        and STORED.EFFECTIVE_END_DATE > {{ bind("earliest") }}::timestamp_ntz
),

-- Each reading after the version that began last before it: one sort instead of a range join.
POINTS as (
    select
        TRUCK_ID,
        EFFECTIVE_START_DATE as EVENT_TIME,
        0 as IS_READING,
        null as SHARD_ID,
        null as SEQUENCE_NUMBER,
        null as SUB_SEQUENCE_NUMBER,
        null as STATE,
        STATE as VERSION_STATE,
        EFFECTIVE_END_DATE as VERSION_END
    from VERSIONS
    union all
    select
        TRUCK_ID,
        EVENT_TIME,
        1 as IS_READING,
        SHARD_ID,
        SEQUENCE_NUMBER,
        SUB_SEQUENCE_NUMBER,
        STATE,
        null as VERSION_STATE,
        null as VERSION_END
    from READINGS
),

PLACED as (
    select
        TRUCK_ID,
        EVENT_TIME,
        IS_READING,
        SHARD_ID,
        SEQUENCE_NUMBER,
        SUB_SEQUENCE_NUMBER,
        STATE,
        last_value(VERSION_STATE) ignore nulls over (
            partition by TRUCK_ID
            order by EVENT_TIME, IS_READING
            rows between unbounded preceding and current row
        ) as VERSION_STATE,
        last_value(VERSION_END) ignore nulls over (
            partition by TRUCK_ID
            order by EVENT_TIME, IS_READING
            rows between unbounded preceding and current row
        ) as VERSION_END
    from POINTS
),

-- The readings that no version covers.
UNCOVERED as (
    select
        TRUCK_ID,
        EVENT_TIME,
        SHARD_ID,
        SEQUENCE_NUMBER,
        SUB_SEQUENCE_NUMBER
    from PLACED
    where
        IS_READING = 1
        and (STATE is distinct from VERSION_STATE or EVENT_TIME >= VERSION_END)
),

TO_BE_MERGED as (
    select distinct
        SHARD_ID,
        SEQUENCE_NUMBER,
        coalesce(SUB_SEQUENCE_NUMBER, 0) as SUB_SEQUENCE_NUMBER
    from TRUCK_TELEMETRY_STREAM
)

select
    ARRIVED.SHARD_ID,
    ARRIVED.SEQUENCE_NUMBER,
    ARRIVED.SUB_SEQUENCE_NUMBER,
    ARRIVED.LOAD_TIMESTAMP,
    ARRIVED.TRUCK_ID,
    ARRIVED.EVENT_TIME,
    case
        when UNCOVERED.SEQUENCE_NUMBER is null then 'covered'
        when TO_BE_MERGED.SEQUENCE_NUMBER is not null then 'waiting'
        else 'uncovered'
    end as STATE
from ARRIVED
left join UNCOVERED
    on
        ARRIVED.TRUCK_ID = UNCOVERED.TRUCK_ID
        and ARRIVED.EVENT_TIME = UNCOVERED.EVENT_TIME
        and ARRIVED.SHARD_ID = UNCOVERED.SHARD_ID
        and ARRIVED.SEQUENCE_NUMBER = UNCOVERED.SEQUENCE_NUMBER
        and ARRIVED.SUB_SEQUENCE_NUMBER = UNCOVERED.SUB_SEQUENCE_NUMBER
left join TO_BE_MERGED
    on
        ARRIVED.SHARD_ID = TO_BE_MERGED.SHARD_ID
        and ARRIVED.SEQUENCE_NUMBER = TO_BE_MERGED.SEQUENCE_NUMBER
        and ARRIVED.SUB_SEQUENCE_NUMBER = TO_BE_MERGED.SUB_SEQUENCE_NUMBER;
