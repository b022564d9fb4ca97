-- Keeps TRUCK_TELEMETRY_DATA equal to its definition over TRUCK_TELEMETRY_RAW (SCD Type 2).
--
-- Grain         one row per version: a maximal run, in event time, of readings with the same 21
--               attributes (NULL equals NULL).  It ends where the next one starts.
-- Key           TRUCK_ID, EFFECTIVE_START_DATE.  The source has one row per target row: Snowflake
--               refuses more (error 100090).
-- Driver        the stream's new rows.  They only say what to derive again, from RAW.
-- Late data     per truck, it derives the runs from the earliest new reading to the next stored
--               version again: a version can be split, corrected, moved or removed (the DELETE).
-- Duplicates    of the readings for one instant, the one that arrived last counts: highest arrival
--               time, sequence number, sub-sequence number (position in an aggregated record; NULL
--               is 0); never load order, which a redelivery changes.
-- Idempotence   the result is a function of RAW, so merging the same rows again changes nothing.
--               Rows of RAW that Snowpipe commits after the stream's snapshot may be merged twice.
-- Cost          reads the current versions and the recent past of the trucks that reported, and
--               their spans of RAW, once.  Windows run over narrow rows; attributes join back last.
-- Bound         `earliest` (sql/merge/earliest_reading.sql) says where to begin to read.  It is a
--               constant, so it prunes; a subquery does not (docs/snowflake-performance.md).  It is
--               only a hint: for trucks with older readings, usually none, older rows are read too.
--               Any bound gives the same history.
merge into TRUCK_TELEMETRY_DATA as TARGET
using (
    with ARRIVED as (
        select
            TRUCK_ID,
            min(EVENT_TIME) as FIRST_TIME,
            max(EVENT_TIME) as LAST_TIME
        from TRUCK_TELEMETRY_STREAM
        group by TRUCK_ID
    ),

    -- Ended versions that the new readings can reach: those after the bound, and those before it.
    ENDED as (
        select VERSIONS.*
        from TRUCK_TELEMETRY_DATA as VERSIONS
        inner join ARRIVED
            on
                VERSIONS.TRUCK_ID = ARRIVED.TRUCK_ID
                and VERSIONS.EFFECTIVE_END_DATE >= ARRIVED.FIRST_TIME
        where
            not VERSIONS.IS_CURRENT
            and VERSIONS.EFFECTIVE_END_DATE >= {{ bind("earliest") }}::timestamp_ntz
        union all
        select VERSIONS.*
        from TRUCK_TELEMETRY_DATA as VERSIONS
        inner join ARRIVED
            on
                VERSIONS.TRUCK_ID = ARRIVED.TRUCK_ID
                and VERSIONS.EFFECTIVE_END_DATE >= ARRIVED.FIRST_TIME
                and ARRIVED.FIRST_TIME < {{ bind("earliest") }}::timestamp_ntz
        where
            not VERSIONS.IS_CURRENT
            and VERSIONS.EFFECTIVE_END_DATE < {{ bind("earliest") }}::timestamp_ntz
    ),

    -- The stored versions that can change: from the one just before the first new reading on.
    -- Current ones separately, because `is current or ends later` in one condition prunes nothing.
    -- STATE stands for the attributes: 64 bits, and only neighbours in time are ever compared.
    STORED as (
        select
            VERSIONS.TRUCK_ID,
            VERSIONS.EFFECTIVE_START_DATE as EVENT_TIME,
            VERSIONS.EFFECTIVE_END_DATE as END_TIME,
            VERSIONS.LOAD_TIMESTAMP,
            hash({{ attributes("VERSIONS") }}) as STATE
        from TRUCK_TELEMETRY_DATA as VERSIONS
        inner join ARRIVED on VERSIONS.TRUCK_ID = ARRIVED.TRUCK_ID
        where VERSIONS.IS_CURRENT
        union all
        select
            TRUCK_ID,
            EFFECTIVE_START_DATE as EVENT_TIME,
            EFFECTIVE_END_DATE as END_TIME,
            LOAD_TIMESTAMP,
            hash({{ attributes() }}) as STATE
        from ENDED
    ),

    -- The span to derive again: from the first new reading to the next version after the last one.
    SPANS as (
        select
            ARRIVED.TRUCK_ID,
            ARRIVED.FIRST_TIME,
            coalesce(min(STORED.EVENT_TIME), '9999-12-31'::timestamp_ntz) as UNTIL_TIME
        from ARRIVED
        left join STORED
            on ARRIVED.TRUCK_ID = STORED.TRUCK_ID and ARRIVED.LAST_TIME < STORED.EVENT_TIME
        group by ARRIVED.TRUCK_ID, ARRIVED.FIRST_TIME
    ),

    -- RAW within the spans: after the bound, and before it.
    SPANNED as (
        select RAW.*
        from TRUCK_TELEMETRY_RAW as RAW
        inner join SPANS
            on
                RAW.TRUCK_ID = SPANS.TRUCK_ID
                and RAW.EVENT_TIME >= SPANS.FIRST_TIME
                and RAW.EVENT_TIME < SPANS.UNTIL_TIME
        where RAW.EVENT_TIME >= {{ bind("earliest") }}::timestamp_ntz
        union all
        select RAW.*
        from TRUCK_TELEMETRY_RAW as RAW
        inner join SPANS
            on
                RAW.TRUCK_ID = SPANS.TRUCK_ID
                and RAW.EVENT_TIME >= SPANS.FIRST_TIME
                and RAW.EVENT_TIME < SPANS.UNTIL_TIME
                and SPANS.FIRST_TIME < {{ bind("earliest") }}::timestamp_ntz
        where RAW.EVENT_TIME < {{ bind("earliest") }}::timestamp_ntz
    ),

    LANDED as (
        select
            *,
            hash(SHARD_ID, SEQUENCE_NUMBER, SUB_SEQUENCE_NUMBER) as ENVELOPE,
            hash(FILE_NAME, FILE_ROW_NUMBER, LOAD_TIMESTAMP) as RAW_ROW,
            hash({{ attributes() }}) as STATE
        from SPANNED
    ),

    INSTANTS as (
        select
            TRUCK_ID,
            EVENT_TIME,
            min(LOAD_TIMESTAMP) as LOAD_TIMESTAMP,
            min(RAW_ROW) as RAW_ROW,
            min(STATE) as STATE,
            min(ENVELOPE) = max(ENVELOPE) and min(STATE) = max(STATE) as IS_SENT_ONCE
        from LANDED
        group by TRUCK_ID, EVENT_TIME
    ),

    -- One per instant.  If one envelope landed several times, any of its rows serves.  Only if
    -- several readings were sent for the instant are they put in order.
    READINGS as (
        select
            TRUCK_ID,
            EVENT_TIME,
            LOAD_TIMESTAMP,
            STATE,
            RAW_ROW
        from INSTANTS
        where IS_SENT_ONCE
        union all
        select
            LANDED.TRUCK_ID,
            LANDED.EVENT_TIME,
            LANDED.LOAD_TIMESTAMP,
            LANDED.STATE,
            LANDED.RAW_ROW
        from LANDED
        inner join INSTANTS
            on LANDED.TRUCK_ID = INSTANTS.TRUCK_ID and LANDED.EVENT_TIME = INSTANTS.EVENT_TIME
        where not INSTANTS.IS_SENT_ONCE
        qualify row_number() over ({{ last_arrival_first("LANDED") }}) = 1
    ),

    COMPARED as (
        select
            READINGS.*,
            STORED.EVENT_TIME is not null as IS_STORED,
            STORED.END_TIME as STORED_END_TIME,
            coalesce(
                STORED.STATE = READINGS.STATE and STORED.LOAD_TIMESTAMP = READINGS.LOAD_TIMESTAMP,
                false
            ) as IS_SAME
        from READINGS
        left join STORED
            on READINGS.TRUCK_ID = STORED.TRUCK_ID and READINGS.EVENT_TIME = STORED.EVENT_TIME
    ),

    -- Without trucks whose readings all open their versions already: what landed twice ends here.
    CHANGED as (
        select distinct TRUCK_ID
        from COMPARED
        where not IS_SAME
    ),

    -- The readings of the span, between the stored versions just before and just after it.  These
    -- two stand for all readings outside the span.
    POINTS as (
        select COMPARED.*
        from COMPARED
        inner join CHANGED on COMPARED.TRUCK_ID = CHANGED.TRUCK_ID
        union all
        select
            STORED.TRUCK_ID,
            STORED.EVENT_TIME,
            STORED.LOAD_TIMESTAMP,
            STORED.STATE,
            null as RAW_ROW,
            true as IS_STORED,
            STORED.END_TIME as STORED_END_TIME,
            true as IS_SAME
        from STORED
        inner join CHANGED on STORED.TRUCK_ID = CHANGED.TRUCK_ID
        inner join SPANS
            on
                STORED.TRUCK_ID = SPANS.TRUCK_ID
                and (STORED.EVENT_TIME < SPANS.FIRST_TIME or STORED.EVENT_TIME = SPANS.UNTIL_TIME)
    ),

    -- Where versions open and close.  The last point's NEXT_TIME is where its stored version ended.
    EDGES as (
        select
            *,
            STATE is distinct from
            lag(STATE) over (partition by TRUCK_ID order by EVENT_TIME) as OPENS_VERSION,
            STATE is distinct from
            lead(STATE) over (partition by TRUCK_ID order by EVENT_TIME) as CLOSES_VERSION,
            coalesce(
                lead(EVENT_TIME) over (partition by TRUCK_ID order by EVENT_TIME), STORED_END_TIME
            ) as NEXT_TIME
        from POINTS
    ),

    -- A version of one point, the usual case, ends at the next point.  A longer one ends after its
    -- last point, which is the edge after its first among the edges of longer versions.
    DERIVED as (
        select
            *,
            NEXT_TIME as END_TIME
        from EDGES
        where OPENS_VERSION and CLOSES_VERSION
        union all
        select
            *,
            lead(NEXT_TIME) over (partition by TRUCK_ID order by EVENT_TIME) as END_TIME
        from EDGES
        where OPENS_VERSION <> CLOSES_VERSION
        qualify OPENS_VERSION
    ),

    CHANGES as (
        select
            TRUCK_ID,
            EVENT_TIME,
            LOAD_TIMESTAMP,
            END_TIME,
            RAW_ROW,
            iff(IS_SAME, 'END', 'WRITE') as KIND
        from DERIVED
        where not IS_SAME or END_TIME is distinct from STORED_END_TIME
        union all
        select
            TRUCK_ID,
            EVENT_TIME,
            LOAD_TIMESTAMP,
            null as END_TIME,
            null as RAW_ROW,
            'DELETE' as KIND
        from EDGES
        where IS_STORED and not OPENS_VERSION
    )

    select
        CHANGES.TRUCK_ID,
        CHANGES.LOAD_TIMESTAMP,
        CHANGES.EVENT_TIME as EFFECTIVE_START_DATE,
        CHANGES.END_TIME as EFFECTIVE_END_DATE,
        CHANGES.END_TIME is null as IS_CURRENT,
        CHANGES.KIND,
        {{ attributes("LANDED") }}
    from CHANGES
    left join LANDED
        on
            CHANGES.TRUCK_ID = LANDED.TRUCK_ID
            and CHANGES.EVENT_TIME = LANDED.EVENT_TIME
            and CHANGES.RAW_ROW = LANDED.RAW_ROW
            and CHANGES.KIND = 'WRITE'
) as CHANGE
    on
        TARGET.TRUCK_ID = CHANGE.TRUCK_ID
        and TARGET.EFFECTIVE_START_DATE = CHANGE.EFFECTIVE_START_DATE
when matched and CHANGE.KIND = 'DELETE' then delete
when matched and CHANGE.KIND = 'END' then
    update set
        EFFECTIVE_END_DATE = CHANGE.EFFECTIVE_END_DATE,
        IS_CURRENT = CHANGE.IS_CURRENT
when matched then
    update set
        LOAD_TIMESTAMP = CHANGE.LOAD_TIMESTAMP,
        EFFECTIVE_END_DATE = CHANGE.EFFECTIVE_END_DATE,
        IS_CURRENT = CHANGE.IS_CURRENT,
        {{ attribute_assignments("CHANGE") }}
when not matched and CHANGE.KIND = 'WRITE' then insert (
    {{ history_columns() }}
)
values (
    {{ history_columns("CHANGE") }}
);
