-- The versions of the hour before the newest version of each truck that has a new one.
-- Grain: one row per version.  LAST_TIME is when the newest one began.
-- `since`, a constant, bounds what is read: an hour before the oldest of these newest versions.
with NEWEST as (
    select
        TRUCK_ID,
        EFFECTIVE_START_DATE as LAST_TIME
    from TRUCK_TELEMETRY_DATA
    where
        IS_CURRENT
        and EFFECTIVE_START_DATE >= dateadd('hour', 1, {{ bind("since") }}::timestamp_ntz)
        and LOAD_TIMESTAMP >= {{ bind("since") }}::timestamp_ntz
)

select
    VERSIONS.TRUCK_ID,
    VERSIONS.EFFECTIVE_START_DATE as EVENT_TIME,
    {{ attributes("VERSIONS") }},
    NEWEST.LAST_TIME
from TRUCK_TELEMETRY_DATA as VERSIONS
inner join NEWEST
    on
        VERSIONS.TRUCK_ID = NEWEST.TRUCK_ID
        and VERSIONS.EFFECTIVE_END_DATE > dateadd('hour', -1, NEWEST.LAST_TIME)
where not VERSIONS.IS_CURRENT and VERSIONS.EFFECTIVE_END_DATE >= {{ bind("since") }}::timestamp_ntz
union all
select
    VERSIONS.TRUCK_ID,
    VERSIONS.EFFECTIVE_START_DATE as EVENT_TIME,
    {{ attributes("VERSIONS") }},
    NEWEST.LAST_TIME
from TRUCK_TELEMETRY_DATA as VERSIONS
inner join NEWEST on VERSIONS.TRUCK_ID = NEWEST.TRUCK_ID
where VERSIONS.IS_CURRENT;
