-- name: odometers_advance
-- severity: warn
-- owner: data-platform
-- meaning: A truck's odometer went back, fell to 0, or advanced further than any truck can drive.
-- action: After a repair or a new device this is expected once. If it alternates, two devices send
--   under one name, or one of them sends kilometres.
-- reads: new_readings
-- notify: once
-- runbook: a-reading-is-implausible
with STEPS as (
    select
        TRUCK_ID,
        EVENT_TIME,
        ODOMETER_READING,
        PREVIOUS_ODOMETER,
        case
            when ODOMETER_READING > PREVIOUS_ODOMETER then ' leaps from '
            when ODOMETER_READING = 0 then ' falls to 0 from '
            when
                ODOMETER_READING < {{ plausible.rollover_reach }}
                and (
                    false
                    {%- for limit in odometer_limits %}
                        or PREVIOUS_ODOMETER
                        between {{ limit - plausible.rollover_reach }} and {{ limit }}
                    {%- endfor %}
                )
                then ' rolls over from '
            else ' goes back from '
        end as STEP
    from STAGED_NEW_READINGS
    where
        ODOMETER_READING < PREVIOUS_ODOMETER - {{ plausible.odometer_error }}
        or ODOMETER_READING - PREVIOUS_ODOMETER
        > {{ plausible.position_error }}
        + {{ plausible.top_speed }} * datediff('millisecond', PREVIOUS_TIME, EVENT_TIME) / 3600000
)

select
    TRUCK_ID,
    EVENT_TIME,
    1 as READINGS,
    'odometer' || STEP || PREVIOUS_ODOMETER::string
    || iff(ODOMETER_READING = 0, '', ' to ' || ODOMETER_READING::string) as SAMPLE_KEY
from STEPS;
