-- name: sensors_are_not_stuck
-- severity: warn
-- owner: data-platform
-- meaning: A metric that must change while a truck moves has had one value for an hour, and the
--   truck has moved.
-- action: Check the sensor and its cable. If all metrics of a truck repeat, its device sends old
--   values.
-- reads: last_hour
-- notify: once
-- runbook: a-reading-is-implausible
with HOURS as (
    select
        TRUCK_ID,
        LAST_TIME as EVENT_TIME,
        {%- for each in steady %}
            min({{ each.metric | upper }}) as {{ each.metric | upper }},
            max({{ each.metric | upper }}) as HIGHEST_{{ each.metric | upper }},
            count({{ each.metric | upper }}) as COUNT_{{ each.metric | upper }},
        {%- endfor %}
        min(EVENT_TIME) as FIRST_TIME,
        -- Checked every quarter of an hour, so that these are counted once.
        count_if(EVENT_TIME > dateadd('minute', -15, LAST_TIME)) as READINGS,
        max(ODOMETER_READING) - min(ODOMETER_READING) as MILES,
        max(GPS_LATITUDE) - min(GPS_LATITUDE) as LATITUDES,
        max(GPS_LONGITUDE) - min(GPS_LONGITUDE) as LONGITUDES,
        max(VEHICLE_SPEED) - min(VEHICLE_SPEED) as SPEEDS,
        min(VEHICLE_SPEED) as SLOWEST
    from STAGED_LAST_HOUR
    group by TRUCK_ID, LAST_TIME
),

MOVED as (
    select
        *,
        ''
        {%- for each in steady %}
            {%- set name = each.metric | upper %}
            || iff(
                {{ name }} = HIGHEST_{{ name }} and COUNT_{{ name }} >= {{ each.versions }}
                {%- if each.metric == "gps_latitude" %}
                    and LONGITUDES = 0
                {%- elif each.metric == "gps_longitude" %}
                    and LATITUDES = 0
                {%- endif %},
                ' {{ name }} ' || {{ name }}::string,
                ''
            )
        {%- endfor %} as STUCK
    from HOURS
    where
        FIRST_TIME <= dateadd('minute', -{{ plausible.stuck_minutes }}, EVENT_TIME)
        and (
            MILES >= {{ plausible.stuck_miles }}
            or LATITUDES >= {{ plausible.stuck_degrees }}
            -- At the date line, 359.9 is 0.1.
            or least(LONGITUDES, 360 - LONGITUDES) >= {{ plausible.stuck_degrees }}
            or (SLOWEST >= {{ plausible.stuck_miles }} and SPEEDS > 0)
        )
)

select
    TRUCK_ID,
    EVENT_TIME,
    READINGS,
    'for an hour' || STUCK as SAMPLE_KEY
from MOVED
where STUCK <> '';
