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
--               is 0); never load order, which a redelivery changes.  Rows of RAW that are copies
--               of each other, to the byte, count as one.
-- Damage        the stored versions of a truck must form a chain: each ends where the next one
--               starts, and the last is current.  If those read here don't, the truck's whole
--               history is deleted and derived from RAW again.  No other truck notices.
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
            true as IS_CURRENT,
            VERSIONS.LOAD_TIMESTAMP,
            hash({{ attributes("VERSIONS") }}) as STATE
        from TRUCK_TELEMETRY_DATA as VERSIONS
        inner join ARRIVED on VERSIONS.TRUCK_ID = ARRIVED.TRUCK_ID
        where VERSIONS.IS_CURRENT and VERSIONS.EFFECTIVE_START_DATE is not null
        union all
        select
            TRUCK_ID,
            EFFECTIVE_START_DATE as EVENT_TIME,
            EFFECTIVE_END_DATE as END_TIME,
            false as IS_CURRENT,
            LOAD_TIMESTAMP,
            hash({{ attributes() }}) as STATE
        from ENDED
        where EFFECTIVE_START_DATE is not null
    ),

    -- Trucks whose stored versions are no chain: a bad tool wrote them.  Usually none.
    DAMAGED as (
        select distinct TRUCK_ID
        from (
            select
                *,
                lead(EVENT_TIME) over (partition by TRUCK_ID order by EVENT_TIME) as NEXT_TIME
            from STORED
        ) as LINKED
        where
            END_TIME is distinct from NEXT_TIME
            or IS_CURRENT <> (END_TIME is null)
            or END_TIME <= EVENT_TIME
    ),

    INTACT as (
        select STORED.*
        from STORED
        left join DAMAGED on STORED.TRUCK_ID = DAMAGED.TRUCK_ID
        where DAMAGED.TRUCK_ID is null
    ),

    -- The span to derive again: from the first new reading to the next version after the last one;
    -- of a damaged truck, everything.
    SPANS as (
        select
            ARRIVED.TRUCK_ID,
            iff(
                DAMAGED.TRUCK_ID is null, ARRIVED.FIRST_TIME, '0001-01-01'::timestamp_ntz
            ) as FIRST_TIME,
            coalesce(min(INTACT.EVENT_TIME), '9999-12-31'::timestamp_ntz) as UNTIL_TIME
        from ARRIVED
        left join DAMAGED on ARRIVED.TRUCK_ID = DAMAGED.TRUCK_ID
        left join INTACT
            on ARRIVED.TRUCK_ID = INTACT.TRUCK_ID and ARRIVED.LAST_TIME < INTACT.EVENT_TIME
        group by ARRIVED.TRUCK_ID, ARRIVED.FIRST_TIME, DAMAGED.TRUCK_ID
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
            hash({{ attributes() }}) as STATE
        from SPANNED
    ),

    INSTANTS as (
        select
            TRUCK_ID,
            EVENT_TIME,
            count(*) as COPIES,
            min(LOAD_TIMESTAMP) as LOAD_TIMESTAMP,
            min(STATE) as STATE,
            min(ENVELOPE) = max(ENVELOPE) and min(STATE) = max(STATE) as IS_SENT_ONCE
        from LANDED
        group by TRUCK_ID, EVENT_TIME
    ),

    -- One per instant.  If one envelope landed several times, any of its COPIES serves.  Only if
    -- several readings were sent for the instant are they put in order.
    READINGS as (
        select
            TRUCK_ID,
            EVENT_TIME,
            LOAD_TIMESTAMP,
            STATE,
            COPIES
        from INSTANTS
        where IS_SENT_ONCE
        union all
        select
            LANDED.TRUCK_ID,
            LANDED.EVENT_TIME,
            LANDED.LOAD_TIMESTAMP,
            LANDED.STATE,
            INSTANTS.COPIES
        from LANDED
        inner join INSTANTS
            on LANDED.TRUCK_ID = INSTANTS.TRUCK_ID and LANDED.EVENT_TIME = INSTANTS.EVENT_TIME
        where not INSTANTS.IS_SENT_ONCE
        qualify row_number() over ({{ last_arrival_first("LANDED") }}) = 1
    ),

    COMPARED as (
        select
            READINGS.*,
            INTACT.EVENT_TIME is not null as IS_STORED,
            INTACT.END_TIME as STORED_END_TIME,
            coalesce(
                INTACT.STATE = READINGS.STATE and INTACT.LOAD_TIMESTAMP = READINGS.LOAD_TIMESTAMP,
                false
            ) as IS_SAME
        from READINGS
        left join INTACT
            on READINGS.TRUCK_ID = INTACT.TRUCK_ID and READINGS.EVENT_TIME = INTACT.EVENT_TIME
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
            INTACT.TRUCK_ID,
            INTACT.EVENT_TIME,
            INTACT.LOAD_TIMESTAMP,
            INTACT.STATE,
            0 as COPIES,
            true as IS_STORED,
            INTACT.END_TIME as STORED_END_TIME,
            true as IS_SAME
        from INTACT
        inner join CHANGED on INTACT.TRUCK_ID = CHANGED.TRUCK_ID
        inner join SPANS
            on
                INTACT.TRUCK_ID = SPANS.TRUCK_ID
                and (INTACT.EVENT_TIME < SPANS.FIRST_TIME or INTACT.EVENT_TIME = SPANS.UNTIL_TIME)
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
            DERIVED.TRUCK_ID,
            DERIVED.EVENT_TIME,
            DERIVED.LOAD_TIMESTAMP,
            DERIVED.END_TIME,
            DERIVED.STATE,
            iff(DERIVED.IS_SAME, 0, DERIVED.COPIES) as COPIES,
            case
                when DERIVED.IS_SAME then 'END'
                when DAMAGED.TRUCK_ID is null then 'WRITE'
                else 'INSERT'
            end as KIND
        from DERIVED
        left join DAMAGED on DERIVED.TRUCK_ID = DAMAGED.TRUCK_ID
        where not DERIVED.IS_SAME or DERIVED.END_TIME is distinct from DERIVED.STORED_END_TIME
        union all
        select
            TRUCK_ID,
            EVENT_TIME,
            LOAD_TIMESTAMP,
            null as END_TIME,
            STATE,
            0 as COPIES,
            'DELETE' as KIND
        from EDGES
        where IS_STORED and not OPENS_VERSION
        union all
        -- All stored versions of a damaged truck: those that follow from RAW are inserted instead.
        select distinct
            VERSIONS.TRUCK_ID,
            VERSIONS.EFFECTIVE_START_DATE as EVENT_TIME,
            null as LOAD_TIMESTAMP,
            null as END_TIME,
            null as STATE,
            0 as COPIES,
            'DELETE' as KIND
        from TRUCK_TELEMETRY_DATA as VERSIONS
        inner join DAMAGED on VERSIONS.TRUCK_ID = DAMAGED.TRUCK_ID
        where VERSIONS.EFFECTIVE_START_DATE is not null
    ),

    -- With the attributes: from the one row of RAW for the instant, or from several that say the
    -- same.
    DESCRIBED as (
        select
            CHANGES.TRUCK_ID,
            CHANGES.LOAD_TIMESTAMP,
            CHANGES.EVENT_TIME as EFFECTIVE_START_DATE,
            CHANGES.END_TIME as EFFECTIVE_END_DATE,
            CHANGES.END_TIME is null as IS_CURRENT,
            CHANGES.KIND,
            CHANGES.COPIES,
            LANDED.LOAD_TIMESTAMP as LANDED_AT,
            {{ attributes("LANDED") }}
        from CHANGES
        left join LANDED
            on
                CHANGES.TRUCK_ID = LANDED.TRUCK_ID
                and CHANGES.EVENT_TIME = LANDED.EVENT_TIME
                and CHANGES.STATE = LANDED.STATE
                and CHANGES.COPIES > 0
    )

    -- Of several, one.  Row numbers are only for these, as the rows are wide.
    select
        TRUCK_ID,
        LOAD_TIMESTAMP,
        EFFECTIVE_START_DATE,
        EFFECTIVE_END_DATE,
        IS_CURRENT,
        KIND,
        {{ attributes() }}
    from DESCRIBED
    where COPIES < 2
    union all
    select
        TRUCK_ID,
        LOAD_TIMESTAMP,
        EFFECTIVE_START_DATE,
        EFFECTIVE_END_DATE,
        IS_CURRENT,
        KIND,
        {{ attributes() }}
    from DESCRIBED
    where COPIES > 1
    qualify
        row_number() over (partition by TRUCK_ID, EFFECTIVE_START_DATE order by LANDED_AT) = 1
) as CHANGE
    -- An inserted row matches nothing, even if its key is that of a version to be deleted.
    on
        TARGET.TRUCK_ID = CHANGE.TRUCK_ID
        and TARGET.EFFECTIVE_START_DATE = CHANGE.EFFECTIVE_START_DATE
        and CHANGE.KIND <> 'INSERT'
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
when not matched and CHANGE.KIND in ('WRITE', 'INSERT') then insert (
    {{ history_columns() }}
)
values (
    {{ history_columns("CHANGE") }}
);
