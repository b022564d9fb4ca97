-- The readings since plausibility was last checked, each with the version of its truck before it.
-- Grain: one row per reading in TRUCK_PLAUSIBILITY_STREAM (twice if it landed twice).
-- `since`, a constant, bounds what is read: versions that ended earlier are not joined. Readings
-- that arrived earlier are left out: a rebuild has landed them again.
-- A reading that is merged starts where the version before it ended; if it still waits for its
-- merge, the current version is before it, or of a truck without versions the reading before it.
-- PREVIOUS_TIME is when that version began: the truck has
-- been in that state since, so a speed that is derived from it is never too high.
-- Both joins begin with the new readings, so that they read little of the history.
with ARRIVED as (
    select *
    from TRUCK_PLAUSIBILITY_STREAM
    where ARRIVAL_TIME >= {{ bind("since") }}::timestamp_ntz
),

ENDED as (
    select
        VERSIONS.TRUCK_ID,
        VERSIONS.EFFECTIVE_START_DATE,
        VERSIONS.EFFECTIVE_END_DATE,
        VERSIONS.GPS_LATITUDE,
        VERSIONS.GPS_LONGITUDE,
        VERSIONS.ODOMETER_READING
    from TRUCK_TELEMETRY_DATA as VERSIONS
    where
        not VERSIONS.IS_CURRENT
        and VERSIONS.EFFECTIVE_END_DATE >= {{ bind("since") }}::timestamp_ntz
        and exists (
            select 1
            from ARRIVED
            where
                VERSIONS.TRUCK_ID = ARRIVED.TRUCK_ID
                and VERSIONS.EFFECTIVE_END_DATE = ARRIVED.EVENT_TIME
        )
),

LATEST as (
    select
        VERSIONS.TRUCK_ID,
        VERSIONS.EFFECTIVE_START_DATE,
        VERSIONS.GPS_LATITUDE,
        VERSIONS.GPS_LONGITUDE,
        VERSIONS.ODOMETER_READING
    from TRUCK_TELEMETRY_DATA as VERSIONS
    where
        VERSIONS.IS_CURRENT
        and VERSIONS.TRUCK_ID in (select ARRIVED.TRUCK_ID from ARRIVED)
),

FIRST_READINGS as (
    select
        TRUCK_ID,
        EVENT_TIME,
        {%- for name in ("EVENT_TIME", "GPS_LATITUDE", "GPS_LONGITUDE", "ODOMETER_READING") %}
            lag({{ name }}) over (
                partition by TRUCK_ID order by EVENT_TIME, ARRIVAL_TIME
            ) as PREVIOUS_{{ name }} {%- if not loop.last %}, {%- endif %}
        {%- endfor %}
    from ARRIVED
    where TRUCK_ID not in (select LATEST.TRUCK_ID from LATEST)
    qualify row_number() over (partition by TRUCK_ID, EVENT_TIME order by ARRIVAL_TIME) = 1
)

select
    ARRIVED.TRUCK_ID,
    ARRIVED.EVENT_TIME,
    ARRIVED.ARRIVAL_TIME,
    ARRIVED.NULLED_METRICS,
    {{ attributes("ARRIVED") }},
    coalesce(
        ENDED.EFFECTIVE_START_DATE,
        LATEST.EFFECTIVE_START_DATE,
        FIRST_READINGS.PREVIOUS_EVENT_TIME
    ) as PREVIOUS_TIME,
    {%- for name, metric in (
        ("LATITUDE", "GPS_LATITUDE"),
        ("LONGITUDE", "GPS_LONGITUDE"),
        ("ODOMETER", "ODOMETER_READING"),
    ) %}
        case
            when ENDED.TRUCK_ID is not null then ENDED.{{ metric }}
            when LATEST.TRUCK_ID is not null then LATEST.{{ metric }}
            else FIRST_READINGS.PREVIOUS_{{ metric }}
        end as PREVIOUS_{{ name }} {%- if not loop.last %}, {%- endif %}
    {%- endfor %}
from ARRIVED
left join ENDED
    on ARRIVED.TRUCK_ID = ENDED.TRUCK_ID and ARRIVED.EVENT_TIME = ENDED.EFFECTIVE_END_DATE
left join LATEST
    on ARRIVED.TRUCK_ID = LATEST.TRUCK_ID and ARRIVED.EVENT_TIME > LATEST.EFFECTIVE_START_DATE
left join FIRST_READINGS
    on
        ARRIVED.TRUCK_ID = FIRST_READINGS.TRUCK_ID
        and ARRIVED.EVENT_TIME = FIRST_READINGS.EVENT_TIME;
