-- name: versions_meet
-- severity: fail
-- owner: data-platform
-- meaning: A version does not end where the truck's next one starts: a moment has no version, or
--   two.
-- action: Rebuild the history (sql/ops/rebuild_history.sql), then look for what else wrote to it.
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
)

select TRUCK_ID || ' ' || EFFECTIVE_START_DATE::string as SAMPLE_KEY
from VERSIONS
where EFFECTIVE_END_DATE is distinct from NEXT_START_DATE;
