-- name: speeds_have_one_unit
-- severity: warn
-- owner: data-platform
-- meaning: GPS speed and vehicle speed of a truck always differ by the factor between two units
--   (miles, kilometres, knots, metres per second), so one of them is not in mph.
-- action: Find out which of the two is wrong, and convert it before it is sent.
-- reads: new_readings
-- notify: once
-- runbook: a-reading-is-implausible
with MOVING as (
    select
        TRUCK_ID,
        max(EVENT_TIME) as EVENT_TIME,
        count(*) as READINGS,
        min(GPS_SPEED / VEHICLE_SPEED) as LOWEST,
        max(GPS_SPEED / VEHICLE_SPEED) as HIGHEST
    from STAGED_NEW_READINGS
    where GPS_SPEED > {{ plausible.moving }} and VEHICLE_SPEED > {{ plausible.moving }}
    group by TRUCK_ID
),

UNITS as (
    select
        *,
        case
            {%- for unit, ratio in speed_ratios %}
                when
                    LOWEST > {{ ratio * (1 - plausible.ratio_error) }}
                    and HIGHEST < {{ ratio * (1 + plausible.ratio_error) }}
                    then '{{ unit }}'
            {%- endfor %}
        end as UNIT
    from MOVING
)

select
    TRUCK_ID,
    EVENT_TIME,
    READINGS,
    UNIT || ': GPS speed is ' || round(HIGHEST, 3)::string || ' x vehicle speed' as SAMPLE_KEY
from UNITS
where UNIT is not null;
