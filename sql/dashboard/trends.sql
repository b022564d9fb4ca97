-- What gets worse slowly: the last 24 hours of each truck against its own days before.
-- Grain: one row per truck and metric that got worse, at most `limit`; every metric of the truck
-- `truck_id` if that is not ''.
-- An hour's value is the mean of its versions, and a day's is the median of its hours, so that
-- neither a busy hour nor an outlier decides.  Day 0 are the 24 hours until `hour`.  A day with
-- fewer than `fewest_hours` counts as none.
-- Battery and temperature are of a running engine: a battery that rests has a lower voltage.
-- A tyre counts only if it is worse by itself and against the mean of the others: the weather and a
-- long drive change all of them.
-- A metric that got better by its limit from one day to the next was repaired, and the days before
-- count no more.  PAST_VALUE is the median of the days that count, and USUAL the median difference
-- of consecutive ones.  A metric got worse if TODAY differs from PAST_VALUE by at least its limit,
-- and by at least `usual_times` times USUAL.
{%- set tyres = ["FRONT_LEFT", "FRONT_RIGHT", "REAR_LEFT", "REAR_RIGHT"] %}
{%- set running = "(ENGINE_RPM is null or ENGINE_RPM >= " ~ bind("idle_rpm") ~ ")" %}
with HOURS as (
    select
        TRUCK_ID,
        floor(
            datediff(
                'hour',
                date_trunc('hour', EFFECTIVE_START_DATE),
                to_timestamp_ntz({{ bind("hour") }})
            ) / 24
        )::integer as DAYS_AGO,
        {%- for tyre in tyres %}
            avg(TIRE_PRESSURE_{{ tyre }}) as {{ tyre }},
        {%- endfor %}
        avg(iff({{ running }}, BATTERY_VOLTAGE, null)) as BATTERY,
        avg(iff({{ running }}, ENGINE_TEMPERATURE, null)) as ENGINE
    from TRUCK_HISTORY
    where
        EFFECTIVE_START_DATE >= to_timestamp_ntz({{ bind("since") }})
        and EFFECTIVE_START_DATE < dateadd('hour', 1, to_timestamp_ntz({{ bind("hour") }}))
        and ({{ bind("truck_id") }} = '' or TRUCK_ID = {{ bind("truck_id") }})
    group by TRUCK_ID, date_trunc('hour', EFFECTIVE_START_DATE)
),

-- WORSE_SIGN is that of a change for the worse.
METRICS as (
    {%- for tyre in tyres %}
        select
            TRUCK_ID,
            DAYS_AGO,
            'tire_pressure_{{ tyre | lower }}' as METRIC_NAME,
            -1 as WORSE_SIGN,
            {{ bind("tyre_change") }} as CHANGE_LIMIT,
            {{ tyre }} as HOUR_VALUE,
            {{ tyre }} - (
                {%- for other in tyres if other != tyre %}
                    coalesce({{ other }}, 0){{ " +" if not loop.last }}
                {%- endfor %}
            ) / nullif(
                {%- for other in tyres if other != tyre %}
                    iff({{ other }} is null, 0, 1){{ " +" if not loop.last }}
                {%- endfor %},
                0
            ) as BESIDE_OTHERS
        from HOURS
        union all
    {%- endfor %}
    select
        TRUCK_ID,
        DAYS_AGO,
        'battery_voltage' as METRIC_NAME,
        -1 as WORSE_SIGN,
        {{ bind("battery_change") }} as CHANGE_LIMIT,
        BATTERY as HOUR_VALUE,
        null as BESIDE_OTHERS
    from HOURS
    union all
    select
        TRUCK_ID,
        DAYS_AGO,
        'engine_temperature' as METRIC_NAME,
        1 as WORSE_SIGN,
        {{ bind("temperature_change") }} as CHANGE_LIMIT,
        ENGINE as HOUR_VALUE,
        null as BESIDE_OTHERS
    from HOURS
),

DAYS as (
    select
        TRUCK_ID,
        METRIC_NAME,
        DAYS_AGO,
        WORSE_SIGN,
        CHANGE_LIMIT,
        median(HOUR_VALUE) as DAY_VALUE,
        median(BESIDE_OTHERS) as BESIDE_OTHERS
    from METRICS
    group by TRUCK_ID, METRIC_NAME, DAYS_AGO, WORSE_SIGN, CHANGE_LIMIT
    having count(HOUR_VALUE) >= {{ bind("fewest_hours") }}
),

STEPS as (
    select
        *,
        WORSE_SIGN * (
            DAY_VALUE
            - lag(DAY_VALUE) over (partition by TRUCK_ID, METRIC_NAME order by DAYS_AGO desc)
        ) as STEP_WORSE
    from DAYS
),

REPAIRED as (
    select
        *,
        min(iff(STEP_WORSE <= -CHANGE_LIMIT, DAYS_AGO, null))
            over (partition by TRUCK_ID, METRIC_NAME)
            as REPAIRED_DAYS_AGO
    from STEPS
),

COMPARED as (
    select
        TRUCK_ID,
        METRIC_NAME,
        WORSE_SIGN,
        CHANGE_LIMIT,
        max(REPAIRED_DAYS_AGO) as REPAIRED_DAYS_AGO,
        count_if(DAYS_AGO > 0) as PAST_DAYS,
        max(iff(DAYS_AGO = 0, DAY_VALUE, null)) as TODAY,
        median(iff(DAYS_AGO > 0, DAY_VALUE, null)) as PAST_VALUE,
        max(iff(DAYS_AGO = 0, BESIDE_OTHERS, null))
        - median(iff(DAYS_AGO > 0, BESIDE_OTHERS, null)) as CHANGE_BESIDE_OTHERS,
        median(
            iff(
                DAYS_AGO > 0 and (REPAIRED_DAYS_AGO is null or DAYS_AGO < REPAIRED_DAYS_AGO),
                abs(STEP_WORSE),
                null
            )
        ) as USUAL
    from REPAIRED
    where REPAIRED_DAYS_AGO is null or DAYS_AGO <= REPAIRED_DAYS_AGO
    group by TRUCK_ID, METRIC_NAME, WORSE_SIGN, CHANGE_LIMIT
),

VERDICTS as (
    select
        *,
        case
            when TODAY is null or PAST_DAYS < {{ bind("fewest_days") }} then 'too few'
            when
                WORSE_SIGN * (TODAY - PAST_VALUE) >= CHANGE_LIMIT
                and WORSE_SIGN * (TODAY - PAST_VALUE)
                >= {{ bind("usual_times") }} * coalesce(USUAL, 0)
                and (
                    CHANGE_BESIDE_OTHERS is null
                    or WORSE_SIGN * CHANGE_BESIDE_OTHERS >= CHANGE_LIMIT
                )
                then 'worse'
            else 'steady'
        end as VERDICT
    from COMPARED
)

select
    TRUCK_ID,
    METRIC_NAME,
    VERDICT,
    TODAY,
    PAST_VALUE,
    USUAL,
    PAST_DAYS,
    REPAIRED_DAYS_AGO
from VERDICTS
where VERDICT = 'worse' or {{ bind("truck_id") }} <> ''
order by TRUCK_ID, METRIC_NAME
limit {{ bind("limit") }};
