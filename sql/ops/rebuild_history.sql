-- Rebuilds the whole history from TRUCK_TELEMETRY_RAW: after the history was lost, or after the
-- stream was recreated.  The DAG repair_history runs it, alone in the pool history_writer.
--
-- Grain, key and dedup rule are those of sql/merge/truck_telemetry_scd2.sql.  Idempotent: the same
-- RAW gives the same history.
-- One statement writes the history and consumes the stream, so both happen or neither.  In a longer
-- transaction the stream is fixed at BEGIN and RAW is read later: what Snowpipe commits in between
-- is in the history and is merged again, which changes nothing.
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
from VERSIONS
-- Consumes the stream, whatever it has: its rows are in RAW.
union all
select
    TRUCK_ID,
    LOAD_TIMESTAMP,
    EVENT_TIME as EFFECTIVE_START_DATE,
    null as EFFECTIVE_END_DATE,
    null as IS_CURRENT,
    {{ attributes() }}
from TRUCK_TELEMETRY_STREAM
where false;
