-- The legs of one truck that overlap a day, and whether they are part of a trip, a stop or silence.
-- trips.sql and track_of_day.sql include it.
-- Grain: one row per version, from its start to the start of the next one: a leg.
-- `since` and `until` are an hour outside the day (`begins` to `ends`), so that both days of a trip
-- over midnight judge it alike.  The legs at midnight belong to both days; readers cut them there.
--
-- The thresholds are in include/trip_detection.py and include/plausibility.py.
-- Fix: a position that is not near 0,0 or a pole, and from which the truck can have come to where
--   it was observed for longest, or gone from there.  The others don't count.
-- Moving: the speed is that of a moving truck, or the fixes are as far apart.  A run of moving legs
--   by GPS alone that leads nowhere is the drift of a parked truck.
-- Silent: a long leg at whose end the truck is elsewhere, or, before its next fix, one that began
--   while it moved.  A long leg to the same place is standing, whatever the speed at its start was.
-- Stop: standing for long enough.  Trip: all between two stops or silences, waiting at lights
--   included, if it leads far enough and lasts long enough; else it is part of the stop.
-- The miles between two fixes are spread over the legs between them by time.
with READINGS as (
    select * from TRUCK_HISTORY
    where
        TRUCK_ID = {{ bind("truck_id") }}
        and IS_CURRENT
        and EFFECTIVE_START_DATE < to_timestamp_ntz({{ bind("until") }})
    union all
    -- Apart, so that both conditions prune.
    select * from TRUCK_HISTORY
    where
        TRUCK_ID = {{ bind("truck_id") }}
        and not IS_CURRENT
        and EFFECTIVE_START_DATE < to_timestamp_ntz({{ bind("until") }})
        and EFFECTIVE_END_DATE > to_timestamp_ntz({{ bind("since") }})
),

POINTS as (
    select
        EFFECTIVE_START_DATE as STARTS_AT,
        least(
            coalesce(
                lead(EFFECTIVE_START_DATE) over (order by EFFECTIVE_START_DATE),
                EFFECTIVE_END_DATE,
                greatest(EFFECTIVE_START_DATE, to_timestamp_ntz({{ bind("instant") }}))
            ),
            to_timestamp_ntz({{ bind("until") }})
        ) as ENDS_AT,
        IS_CURRENT,
        GPS_LATITUDE,
        GPS_LONGITUDE,
        -- Not the values that stand for "not available".
        {%- for name in ("VEHICLE_SPEED", "GPS_SPEED") %}
            case
                {%- for each in sentinels if each.metric == name | lower %}
                    when {{ name }} between {{ each.low }} and {{ each.high }} then null
                {%- endfor %}
                else {{ name }}
            end as {{ name }},
        {%- endfor %}
        ENGINE_RPM,
        FUEL_CONSUMPTION,
        coalesce(
            not {{ is_no_position("GPS_LATITUDE", "GPS_LONGITUDE") }}, false
        ) as IS_SOMEWHERE,
        last_value(FUEL_LEVEL) ignore nulls over (
            order by EFFECTIVE_START_DATE rows between unbounded preceding and current row
        ) as FUEL_LEVEL,
        last_value(ODOMETER_READING) ignore nulls over (
            order by EFFECTIVE_START_DATE rows between unbounded preceding and current row
        ) as ODOMETER,
        max(iff(ODOMETER_READING is null, null, EFFECTIVE_START_DATE)) over (
            order by EFFECTIVE_START_DATE rows between unbounded preceding and current row
        ) as ODOMETER_AT
    from READINGS
),

-- Positions between which the truck can have driven are one spell.
PLACES as (
    select
        STARTS_AT,
        GPS_LATITUDE,
        GPS_LONGITUDE,
        least(
            datediff('millisecond', STARTS_AT, ENDS_AT), {{ trip_limits.silent_minutes }} * 60000
        ) as OBSERVED,
        lag(STARTS_AT) over (order by STARTS_AT) as PREVIOUS_STARTS,
        lag(GPS_LATITUDE) over (order by STARTS_AT) as PREVIOUS_LATITUDE,
        lag(GPS_LONGITUDE) over (order by STARTS_AT) as PREVIOUS_LONGITUDE
    from POINTS
    where IS_SOMEWHERE
),

IN_SPELLS as (
    select
        STARTS_AT,
        GPS_LATITUDE,
        GPS_LONGITUDE,
        OBSERVED,
        sum(iff(
            {{ miles_between(
                "PREVIOUS_LATITUDE", "PREVIOUS_LONGITUDE", "GPS_LATITUDE", "GPS_LONGITUDE"
            ) }} > {{ plausible.position_error }} + {{ plausible.top_speed }}
            * datediff('millisecond', PREVIOUS_STARTS, STARTS_AT) / 3600000,
            1, 0
        )) over (order by STARTS_AT rows between unbounded preceding and current row) as SPELL
    from PLACES
),

SPELLS as (
    select
        SPELL,
        sum(OBSERVED) as OBSERVED,
        min(STARTS_AT) as FIRST_AT,
        min_by(GPS_LATITUDE, STARTS_AT) as FIRST_LATITUDE,
        min_by(GPS_LONGITUDE, STARTS_AT) as FIRST_LONGITUDE,
        max(STARTS_AT) as LAST_AT,
        max_by(GPS_LATITUDE, STARTS_AT) as LAST_LATITUDE,
        max_by(GPS_LONGITUDE, STARTS_AT) as LAST_LONGITUDE
    from IN_SPELLS
    group by SPELL
),

LONGEST as (
    select * from SPELLS
    qualify row_number() over (order by OBSERVED desc, SPELL asc) = 1
),

REACHABLE as (
    select SPELLS.SPELL
    from SPELLS
    cross join LONGEST
    where
        SPELLS.SPELL = LONGEST.SPELL
        or (
            SPELLS.SPELL < LONGEST.SPELL
            and {{ miles_between(
                "SPELLS.LAST_LATITUDE", "SPELLS.LAST_LONGITUDE",
                "LONGEST.FIRST_LATITUDE", "LONGEST.FIRST_LONGITUDE"
            ) }} <= {{ plausible.position_error }} + {{ plausible.top_speed }}
            * datediff('millisecond', SPELLS.LAST_AT, LONGEST.FIRST_AT) / 3600000
        )
        or (
            SPELLS.SPELL > LONGEST.SPELL
            and {{ miles_between(
                "LONGEST.LAST_LATITUDE", "LONGEST.LAST_LONGITUDE",
                "SPELLS.FIRST_LATITUDE", "SPELLS.FIRST_LONGITUDE"
            ) }} <= {{ plausible.position_error }} + {{ plausible.top_speed }}
            * datediff('millisecond', LONGEST.LAST_AT, SPELLS.FIRST_AT) / 3600000
        )
),

FIXES as (
    select
        IN_SPELLS.STARTS_AT as FIX_AT,
        IN_SPELLS.GPS_LATITUDE as LATITUDE,
        IN_SPELLS.GPS_LONGITUDE as LONGITUDE
    from IN_SPELLS
    inner join REACHABLE on IN_SPELLS.SPELL = REACHABLE.SPELL
),

-- Each leg between the last fix and the next one.
LOCATED as (
    select
        POINTS.*,
        FIXES.FIX_AT is not null as HAS_FIX,
        datediff('millisecond', POINTS.STARTS_AT, POINTS.ENDS_AT) / 1000 as SECONDS,
        lead(POINTS.FUEL_LEVEL, 1, POINTS.FUEL_LEVEL) over (
            order by POINTS.STARTS_AT
        ) as NEXT_FUEL_LEVEL,
        lead(POINTS.ODOMETER) over (order by POINTS.STARTS_AT) - POINTS.ODOMETER as ODOMETER_RISE,
        datediff(
            'millisecond',
            POINTS.ODOMETER_AT,
            lead(POINTS.ODOMETER_AT) over (order by POINTS.STARTS_AT)
        ) / 3600000 as ODOMETER_HOURS,
        {%- for column in ("FIX_AT", "LATITUDE", "LONGITUDE") %}
            last_value(FIXES.{{ column }}) ignore nulls over (
                order by POINTS.STARTS_AT rows between unbounded preceding and current row
            ) as {{ column }},
            first_value(FIXES.{{ column }}) ignore nulls over (
                order by POINTS.STARTS_AT rows between 1 following and unbounded following
            ) as NEXT_{{ column }} {%- if not loop.last %}, {%- endif %}
        {%- endfor %}
    from POINTS
    left join FIXES on POINTS.STARTS_AT = FIXES.FIX_AT
),

MEASURED as (
    select
        *,
        greatest(
            coalesce(VEHICLE_SPEED, GPS_SPEED), coalesce(GPS_SPEED, VEHICLE_SPEED)
        ) as SPEED,
        datediff('millisecond', FIX_AT, NEXT_FIX_AT) / 1000 as FIX_SECONDS,
        {{ miles_between("LATITUDE", "LONGITUDE", "NEXT_LATITUDE", "NEXT_LONGITUDE") }}
            as FIX_MILES,
        iff(
            ODOMETER_RISE between 0
            and {{ plausible.odometer_error }} + {{ plausible.top_speed }} * ODOMETER_HOURS,
            ODOMETER_RISE, null
        ) as ODOMETER_MILES
    from LOCATED
),

-- Between two fixes that can't both be right there are no miles.
JUDGED as (
    select
        * exclude (FIX_MILES),
        iff(
            FIX_MILES
            > {{ plausible.position_error }} + {{ plausible.top_speed }} * FIX_SECONDS / 3600,
            0, FIX_MILES
        ) as FIX_MILES
    from MEASURED
),

STATES as (
    select
        *,
        FIX_MILES * SECONDS / nullif(FIX_SECONDS, 0) as MILES,
        case
            when
                SECONDS >= {{ trip_limits.silent_minutes }} * 60
                and coalesce(
                    FIX_MILES >= {{ trip_limits.trip_miles }},
                    SPEED >= {{ trip_limits.moving }},
                    false
                )
                then 'silent'
            when SECONDS >= {{ trip_limits.silent_minutes }} * 60 then 'standing'
            when SPEED >= {{ trip_limits.moving }} then 'moving'
            when
                FIX_MILES >= {{ trip_limits.drift_miles }}
                and FIX_MILES * 3600 >= {{ trip_limits.moving }} * FIX_SECONDS
                then 'moving'
            else 'standing'
        end as STATE
    from JUDGED
),

-- Runs of equal states: two row numbers differ by the same within a run.
RUNS as (
    select
        *,
        row_number() over (order by STARTS_AT)
        - row_number() over (partition by STATE order by STARTS_AT) as STRETCH
    from STATES
),

RUN_STARTS as (
    select
        *,
        first_value(LATITUDE) over (
            partition by STATE, STRETCH order by STARTS_AT
        ) as RUN_LATITUDE,
        first_value(LONGITUDE) over (
            partition by STATE, STRETCH order by STARTS_AT
        ) as RUN_LONGITUDE
    from RUNS
),

WITHOUT_DRIFT as (
    select
        * exclude (STATE, STRETCH, RUN_LATITUDE, RUN_LONGITUDE),
        iff(
            STATE = 'moving'
            and max(coalesce(VEHICLE_SPEED, 0)) over (partition by STATE, STRETCH)
            < {{ trip_limits.moving }}
            and coalesce(
                max({{ miles_between(
                    "RUN_LATITUDE", "RUN_LONGITUDE", "NEXT_LATITUDE", "NEXT_LONGITUDE"
                ) }}) over (partition by STATE, STRETCH),
                0
            ) < {{ trip_limits.drift_miles }},
            'standing', STATE
        ) as STATE
    from RUN_STARTS
),

STANDS as (
    select
        *,
        row_number() over (order by STARTS_AT)
        - row_number() over (partition by STATE order by STARTS_AT) as STRETCH
    from WITHOUT_DRIFT
),

PARTS as (
    select
        * exclude (STRETCH),
        case
            when STATE = 'silent' then 'silent'
            when
                STATE = 'standing'
                and sum(SECONDS) over (partition by STATE, STRETCH)
                >= {{ trip_limits.stop_minutes }} * 60
                then 'stop'
            else 'trip'
        end as PART,
        -- A truck that does not move is refuelled, if at all, from the first of these legs to the
        -- end of the last one.
        iff(
            STATE <> 'moving' and lead(STATE) over (order by STARTS_AT) is distinct from STATE,
            NEXT_FUEL_LEVEL
            - first_value(FUEL_LEVEL) over (partition by STATE, STRETCH order by STARTS_AT),
            0
        ) as FUEL_RISE
    from STANDS
),

NUMBERED_PARTS as (
    select
        *,
        row_number() over (order by STARTS_AT)
        - row_number() over (partition by PART order by STARTS_AT) as STRETCH
    from PARTS
),

PART_STARTS as (
    select
        *,
        first_value(LATITUDE) over (
            partition by PART, STRETCH order by STARTS_AT
        ) as RUN_LATITUDE,
        first_value(LONGITUDE) over (
            partition by PART, STRETCH order by STARTS_AT
        ) as RUN_LONGITUDE
    from NUMBERED_PARTS
),

KINDS as (
    select
        * exclude (PART, STRETCH, RUN_LATITUDE, RUN_LONGITUDE),
        iff(
            PART = 'trip'
            and (
                sum(SECONDS) over (partition by PART, STRETCH) < {{ trip_limits.trip_minutes }} * 60
                or greatest(
                    coalesce(
                        max({{ miles_between(
                            "RUN_LATITUDE", "RUN_LONGITUDE", "NEXT_LATITUDE", "NEXT_LONGITUDE"
                        ) }}) over (partition by PART, STRETCH),
                        0
                    ),
                    coalesce(sum(ODOMETER_MILES) over (partition by PART, STRETCH), 0)
                    - {{ plausible.odometer_error }}
                ) < {{ trip_limits.trip_miles }}
            ),
            'stop', PART
        ) as KIND
    from PART_STARTS
)

select
    STARTS_AT,
    ENDS_AT,
    SECONDS,
    IS_CURRENT,
    HAS_FIX,
    LATITUDE,
    LONGITUDE,
    NEXT_LATITUDE,
    NEXT_LONGITUDE,
    MILES,
    ODOMETER_MILES,
    SPEED,
    VEHICLE_SPEED,
    GPS_SPEED,
    STATE,
    KIND,
    ENGINE_RPM,
    FUEL_CONSUMPTION,
    FUEL_LEVEL,
    NEXT_FUEL_LEVEL,
    FUEL_RISE,
    row_number() over (order by STARTS_AT)
    - row_number() over (partition by KIND order by STARTS_AT) as STRETCH,
    lag(KIND) over (order by STARTS_AT) as PREVIOUS_KIND,
    lead(KIND) over (order by STARTS_AT) as NEXT_KIND
from KINDS
qualify
    ENDS_AT > to_timestamp_ntz({{ bind("begins") }})
    and STARTS_AT < to_timestamp_ntz({{ bind("ends") }});
