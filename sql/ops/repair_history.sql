-- Repairs the history of one truck, of a range of time, or of both, from RAW: versions that are
-- missing, doubled, overlapping or false.  The DAG repair_history runs it, alone in the pool
-- history_writer.
--
-- Scope         binds truck_id (NULL: all), since and until (NULL: open), UTC.  Widened to whole
--               versions: from the start of the last one before it, or of an earlier one that
--               reaches into it, up to the start of the first one after it.  These starts, and
--               everything beyond them, are taken as right.
-- Grain, key    those of sql/merge/truck_telemetry_scd2.sql, as is the dedup rule.
-- Idempotence   keeps right versions, deletes the others and inserts what follows from RAW, so a
--               second run changes nothing.  One statement: all or nothing.
-- Stream        not read.  Readings that wait in it are in the scope's versions already.  The next
--               merge merges them again, which also repairs what they change beyond the scope.
-- Cost          reads the trucks' spans of RAW, and keys, ends and spans of the history.
merge into TRUCK_TELEMETRY_DATA as TARGET
using (
    with PERIOD as (
        select
            coalesce({{ bind("since") }}::timestamp_ntz, '0001-01-01'::timestamp_ntz) as SINCE_TIME,
            coalesce({{ bind("until") }}::timestamp_ntz, '9999-12-31'::timestamp_ntz) as BEFORE_TIME
    ),

    STORED as (
        select *
        from TRUCK_TELEMETRY_DATA
        where {{ bind("truck_id") }} is null or TRUCK_ID = {{ bind("truck_id") }}
    ),

    -- A truck without a version before the scope, or without any, is derived from its first reading
    -- on.
    SPANS as (
        select
            STORED.TRUCK_ID,
            coalesce(
                min(
                    iff(
                        STORED.EFFECTIVE_START_DATE < PERIOD.SINCE_TIME
                        and (
                            STORED.IS_CURRENT
                            or STORED.EFFECTIVE_END_DATE is null
                            or STORED.EFFECTIVE_END_DATE > PERIOD.SINCE_TIME
                        ),
                        STORED.EFFECTIVE_START_DATE,
                        null
                    )
                ),
                max(
                    iff(
                        STORED.EFFECTIVE_START_DATE < PERIOD.SINCE_TIME,
                        STORED.EFFECTIVE_START_DATE,
                        null
                    )
                ),
                '0001-01-01'::timestamp_ntz
            ) as FROM_TIME,
            min(
                iff(
                    STORED.EFFECTIVE_START_DATE >= PERIOD.BEFORE_TIME,
                    STORED.EFFECTIVE_START_DATE,
                    null
                )
            ) as UNTIL_TIME
        from STORED
        cross join PERIOD
        group by STORED.TRUCK_ID
    ),

    -- A version without a start is in every scope of its truck.
    FOUND as (
        select
            STORED.TRUCK_ID,
            STORED.EFFECTIVE_START_DATE,
            count(*) as COPIES,
            min(
                hash(
                    STORED.LOAD_TIMESTAMP,
                    STORED.EFFECTIVE_END_DATE,
                    STORED.IS_CURRENT,
                    {{ attributes("STORED") }}
                )
            ) as STATE
        from STORED
        inner join SPANS
            on
                STORED.TRUCK_ID = SPANS.TRUCK_ID
                and (
                    STORED.EFFECTIVE_START_DATE is null
                    or (
                        STORED.EFFECTIVE_START_DATE >= SPANS.FROM_TIME
                        and STORED.EFFECTIVE_START_DATE
                        < coalesce(SPANS.UNTIL_TIME, '9999-12-31'::timestamp_ntz)
                    )
                )
        group by STORED.TRUCK_ID, STORED.EFFECTIVE_START_DATE
    ),

    READINGS as (
        select
            RAW.*,
            SPANS.UNTIL_TIME,
            hash({{ attributes("RAW") }}) as STATE
        from TRUCK_TELEMETRY_RAW as RAW
        left join SPANS on RAW.TRUCK_ID = SPANS.TRUCK_ID
        where
            ({{ bind("truck_id") }} is null or RAW.TRUCK_ID = {{ bind("truck_id") }})
            and RAW.EVENT_TIME >= coalesce(SPANS.FROM_TIME, '0001-01-01'::timestamp_ntz)
            and RAW.EVENT_TIME < coalesce(SPANS.UNTIL_TIME, '9999-12-31'::timestamp_ntz)
        qualify row_number() over ({{ last_arrival_first("RAW") }}) = 1
    ),

    OPENINGS as (
        select *
        from READINGS
        qualify
            STATE is distinct from
            lag(STATE) over (partition by TRUCK_ID order by EVENT_TIME)
    ),

    ENDS as (
        select
            *,
            coalesce(
                lead(EVENT_TIME) over (partition by TRUCK_ID order by EVENT_TIME), UNTIL_TIME
            ) as END_TIME
        from OPENINGS
    ),

    VERSIONS as (
        select
            *,
            hash(LOAD_TIMESTAMP, END_TIME, END_TIME is null, {{ attributes() }}) as VERSION_STATE
        from ENDS
    )

    select
        VERSIONS.TRUCK_ID,
        VERSIONS.LOAD_TIMESTAMP,
        VERSIONS.EVENT_TIME as EFFECTIVE_START_DATE,
        VERSIONS.END_TIME as EFFECTIVE_END_DATE,
        VERSIONS.END_TIME is null as IS_CURRENT,
        'INSERT' as KIND,
        {{ attributes("VERSIONS") }}
    from VERSIONS
    left join FOUND
        on
            VERSIONS.TRUCK_ID = FOUND.TRUCK_ID
            and VERSIONS.EVENT_TIME = FOUND.EFFECTIVE_START_DATE
            and VERSIONS.VERSION_STATE = FOUND.STATE
            and FOUND.COPIES = 1
    where FOUND.TRUCK_ID is null
    union all
    select
        FOUND.TRUCK_ID,
        null as LOAD_TIMESTAMP,
        FOUND.EFFECTIVE_START_DATE,
        null as EFFECTIVE_END_DATE,
        null as IS_CURRENT,
        'DELETE' as KIND,
        {{ attributes("VERSIONS") }}
    from FOUND
    left join VERSIONS
        on
            FOUND.TRUCK_ID = VERSIONS.TRUCK_ID
            and FOUND.EFFECTIVE_START_DATE = VERSIONS.EVENT_TIME
            and FOUND.STATE = VERSIONS.VERSION_STATE
            and FOUND.COPIES = 1
    where VERSIONS.TRUCK_ID is null
) as CHANGE
    -- An inserted row matches nothing, even if its key is that of a version to be deleted.
    on
        TARGET.TRUCK_ID = CHANGE.TRUCK_ID
        and TARGET.EFFECTIVE_START_DATE is not distinct from CHANGE.EFFECTIVE_START_DATE
        and CHANGE.KIND = 'DELETE'
when matched then delete
when not matched and CHANGE.KIND = 'INSERT' then insert (
    {{ history_columns() }}
)
values (
    {{ history_columns("CHANGE") }}
);
