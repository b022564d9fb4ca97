-- name: latest_reading_is_in_history
-- severity: fail
-- owner: data-platform
-- meaning: A truck's latest reading in RAW differs from its current version, although it was
--   merged: the history lost a reading.
-- action: Run the DAG repair_history for the truck. If the stream was recreated or became stale,
--   that is the cause, and the whole history needs a rebuild (same DAG).
-- runbook: the-history-is-wrong
with LATEST as (
    select
        TRUCK_ID,
        max(EVENT_TIME) as EVENT_TIME
    from TRUCK_TELEMETRY_RAW
    -- Readings that wait for the next merge are not lost.
    where
        TRUCK_ID not in (select WAITING.TRUCK_ID from TRUCK_TELEMETRY_STREAM as WAITING)
        and EVENT_TIME >= {{ bind("since") }}::timestamp_ntz
    group by TRUCK_ID
),

READINGS as (
    select
        RAW.TRUCK_ID,
        RAW.EVENT_TIME,
        hash({{ attributes("RAW") }}) as STATE
    from TRUCK_TELEMETRY_RAW as RAW
    inner join LATEST on RAW.TRUCK_ID = LATEST.TRUCK_ID and RAW.EVENT_TIME = LATEST.EVENT_TIME
    where RAW.EVENT_TIME >= {{ bind("since") }}::timestamp_ntz
    qualify row_number() over ({{ last_arrival_first("RAW") }}) = 1
),

VERSIONS as (
    select
        TRUCK_ID,
        EFFECTIVE_START_DATE,
        hash({{ attributes() }}) as STATE
    from TRUCK_TELEMETRY_DATA
    where IS_CURRENT
)

select READINGS.TRUCK_ID || ' ' || {{ time_text("READINGS.EVENT_TIME") }} as SAMPLE_KEY
from READINGS
left join VERSIONS on READINGS.TRUCK_ID = VERSIONS.TRUCK_ID
where
    VERSIONS.STATE is distinct from READINGS.STATE
    or VERSIONS.EFFECTIVE_START_DATE > READINGS.EVENT_TIME;
