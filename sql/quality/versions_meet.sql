-- name: versions_meet
-- severity: fail
-- owner: data-platform
-- meaning: A version does not end where the truck's next one starts, so some moment has no version
--   or two.
-- action: Run the DAG repair_history for the truck, then find out what else writes its history.
-- runbook: the-history-is-wrong
with VERSIONS as (
    select
        TRUCK_ID,
        EFFECTIVE_START_DATE,
        EFFECTIVE_END_DATE,
        lead(EFFECTIVE_START_DATE) over (
            partition by TRUCK_ID
            order by EFFECTIVE_START_DATE
        ) as NEXT_START_DATE
    from TRUCK_TELEMETRY_DATA
    where EFFECTIVE_START_DATE >= {{ bind("since") }}::timestamp_ntz
)

select TRUCK_ID || ' ' || {{ time_text("EFFECTIVE_START_DATE") }} as SAMPLE_KEY
from VERSIONS
where EFFECTIVE_END_DATE is distinct from NEXT_START_DATE;
