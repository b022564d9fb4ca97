-- Writes the whole history anew from TRUCK_TELEMETRY_RAW: after a stream was recreated or became
-- stale, after an erasure, or when a quality rule says so.  Run it as one transaction, in the pool
-- history_writer, with auto-commit off.
--
-- Grain, key and dedup rule are those of sql/merge/truck_telemetry_scd2.sql.  Idempotent: the same
-- RAW gives the same history.
-- The stream is consumed in the same transaction, so both commit or neither does.  It is fixed at
-- BEGIN and RAW is read later: what Snowpipe commits in between is in the history already and will
-- be merged once more, which changes nothing.
begin;

insert overwrite into TRUCK_TELEMETRY_DATA (
    TRUCK_ID,
    LOAD_TIMESTAMP,
    EFFECTIVE_START_DATE,
    EFFECTIVE_END_DATE,
    IS_CURRENT,
    {{ attributes() }}
)
with READINGS as (
    select
        *,
        hash({{ attributes() }}) as STATE
    from TRUCK_TELEMETRY_RAW
    qualify row_number() over ({{ last_arrival_first() }}) = 1
),

OPENINGS as (
    select *
    from READINGS
    qualify
        STATE is distinct from
        lag(STATE) over (partition by TRUCK_ID order by EVENT_TIME)
),

VERSIONS as (
    select
        *,
        lead(EVENT_TIME) over (partition by TRUCK_ID order by EVENT_TIME) as END_TIME
    from OPENINGS
)

select
    TRUCK_ID,
    LOAD_TIMESTAMP,
    EVENT_TIME as EFFECTIVE_START_DATE,
    END_TIME as EFFECTIVE_END_DATE,
    END_TIME is null as IS_CURRENT,
    {{ attributes() }}
from VERSIONS;

-- Consumes the stream, whatever it holds, and leaves a trace.
insert into HISTORY_MERGE_RUNS (
    RUN_ID,
    STARTED_AT,
    FINISHED_AT,
    ROWS_INSERTED,
    ROWS_UPDATED,
    ROWS_DELETED
)
with REBUILT as (
    select count(*) as VERSIONS from TRUCK_TELEMETRY_DATA
),

CONSUMED as (
    select count(*) as READINGS from TRUCK_TELEMETRY_STREAM
)

select
    'rebuild of ' || sysdate()::string as RUN_ID,
    sysdate() as STARTED_AT,
    sysdate() as FINISHED_AT,
    REBUILT.VERSIONS as ROWS_INSERTED,
    0 as ROWS_UPDATED,
    0 as ROWS_DELETED
from REBUILT
cross join CONSUMED;

commit;
