-- What one truck did on a day (`begins` to `ends`): its trips, stops and silences, oldest first.
-- Grain: one row per trip, stop or silence, cut at the ends of the day.
-- legs_of_day.sql says which is which.  Miles are those between positions; those of the odometer
-- are a second opinion.  Nobody knows how a silent truck burned fuel or idled: each version counts
-- for at most so long as a truck may be silent.
with LEGS as (
    {% filter trim(";\n") %}{% include "dashboard/legs_of_day.sql" %}{% endfilter %}
),

CUT as (
    select
        *,
        greatest(STARTS_AT, to_timestamp_ntz({{ bind("begins") }})) as CUT_STARTS,
        least(ENDS_AT, to_timestamp_ntz({{ bind("ends") }})) as CUT_ENDS,
        least(
            ENDS_AT,
            to_timestamp_ntz({{ bind("ends") }}),
            dateadd('minute', {{ trip_limits.silent_minutes }}, STARTS_AT)
        ) as KNOWN_UNTIL
    from LEGS
),

SHARES as (
    select
        *,
        datediff('millisecond', CUT_STARTS, CUT_ENDS) / 1000 / SECONDS as PORTION,
        greatest(datediff('millisecond', CUT_STARTS, KNOWN_UNTIL) / 1000, 0) as KNOWN_SECONDS
    from CUT
    where SECONDS > 0
),

PERIODS as (
    select
        KIND,
        min(CUT_STARTS) as BEGINS_AT,
        max(CUT_ENDS) as FINISHES_AT,
        boolor_agg(
            STARTS_AT < CUT_STARTS
            or (
                STARTS_AT = to_timestamp_ntz({{ bind("begins") }})
                and coalesce(PREVIOUS_KIND = KIND, false)
            )
        ) as BEGAN_EARLIER,
        boolor_agg(
            ENDS_AT > CUT_ENDS
            or (
                ENDS_AT = to_timestamp_ntz({{ bind("ends") }})
                and coalesce(NEXT_KIND = KIND, false)
            )
        ) as GOES_ON,
        boolor_agg(IS_CURRENT) as IS_LAST,
        iff(KIND = 'stop', null, sum(MILES * PORTION)) as MILES,
        iff(KIND = 'stop', null, sum(ODOMETER_MILES * PORTION)) as ODOMETER_MILES,
        -- A vehicle speed that is always 0 while the truck drives is not measured.
        coalesce(nullif(max(VEHICLE_SPEED), 0), max(GPS_SPEED)) as TOP_SPEED,
        sum(iff(
            STATE = 'standing' and ENGINE_RPM >= {{ trip_limits.running }}, KNOWN_SECONDS, 0
        )) as IDLE_SECONDS,
        sum(FUEL_CONSUMPTION * KNOWN_SECONDS / 3600) as GALLONS,
        min_by(FUEL_LEVEL, STARTS_AT) as FUEL_BEFORE,
        max_by(NEXT_FUEL_LEVEL, STARTS_AT) as FUEL_AFTER,
        sum(iff(
            FUEL_RISE >= {{ trip_limits.refuelled }} and ENDS_AT = CUT_ENDS, FUEL_RISE, 0
        )) as REFUELLED,
        min_by(coalesce(LATITUDE, NEXT_LATITUDE), STARTS_AT) as FIRST_LATITUDE,
        min_by(coalesce(LONGITUDE, NEXT_LONGITUDE), STARTS_AT) as FIRST_LONGITUDE,
        max_by(coalesce(NEXT_LATITUDE, LATITUDE), STARTS_AT) as LAST_LATITUDE,
        max_by(coalesce(NEXT_LONGITUDE, LONGITUDE), STARTS_AT) as LAST_LONGITUDE
    from SHARES
    group by KIND, STRETCH
)

select
    KIND,
    BEGINS_AT,
    FINISHES_AT as ENDS_AT,
    BEGAN_EARLIER,
    GOES_ON,
    IS_LAST,
    MILES,
    ODOMETER_MILES,
    IDLE_SECONDS,
    GALLONS,
    FUEL_BEFORE,
    FUEL_AFTER,
    REFUELLED,
    FIRST_LATITUDE,
    FIRST_LONGITUDE,
    LAST_LATITUDE,
    LAST_LONGITUDE,
    datediff('millisecond', BEGINS_AT, FINISHES_AT) / 1000 as SECONDS,
    iff(
        KIND = 'trip', MILES * 3600000 / datediff('millisecond', BEGINS_AT, FINISHES_AT), null
    ) as MEAN_SPEED,
    iff(KIND = 'trip', TOP_SPEED, null) as TOP_SPEED
from PERIODS
order by BEGINS_AT
limit {{ bind("limit") }};
