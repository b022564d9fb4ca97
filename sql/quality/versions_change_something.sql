-- name: versions_change_something
-- severity: fail
-- owner: data-platform
-- meaning: A version has the same attributes as the one before it, so it is no version of its own.
-- action: Run the DAG repair_history for the truck, then find out what else writes its history.
-- runbook: the-history-is-wrong
with VERSIONS as (
    select
        TRUCK_ID,
        EFFECTIVE_START_DATE,
        hash({{ attributes() }}) as STATE
    from TRUCK_TELEMETRY_DATA
    where EFFECTIVE_START_DATE >= {{ bind("since") }}::timestamp_ntz
)

select TRUCK_ID || ' ' || {{ time_text("EFFECTIVE_START_DATE") }} as SAMPLE_KEY
from VERSIONS
qualify STATE = lag(STATE) over (partition by TRUCK_ID order by EFFECTIVE_START_DATE);
