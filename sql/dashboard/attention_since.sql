-- Since when each truck needs attention, for the reasons of dashboard/health.py.
-- Grain: one row per truck whose current version gives a reason, at most `limit` of them.
-- SINCE_<METRIC> is the start of the first version after the last one that was in order; NULL if
-- the current version is in order.  A version in which it is not known neither begins nor ends it.
-- IS_LONGER_<METRIC>: none was in order since `since`, so it may have begun before.
-- The limits are bound by the dashboard.  `since` bounds what is read, and of that only the trucks
-- with a reason are.
{%- set highest %}
    greatest(
        coalesce(TIRE_PRESSURE_FRONT_LEFT, 0), coalesce(TIRE_PRESSURE_FRONT_RIGHT, 0),
        coalesce(TIRE_PRESSURE_REAR_LEFT, 0), coalesce(TIRE_PRESSURE_REAR_RIGHT, 0)
    ) * {{ bind("tyre_share") }}
{%- endset %}
{%- set reasons = {
    "BRAKE_STATUS": "BRAKE_STATUS <> 'Good'",
    "TRANSMISSION_STATUS": "TRANSMISSION_STATUS <> 'Operational'",
    "ENGINE_TEMPERATURE": "ENGINE_TEMPERATURE > " ~ bind("high_engine_temperature"),
    "OIL_PRESSURE": "OIL_PRESSURE < " ~ bind("low_oil_pressure")
        ~ " and (ENGINE_RPM is null or ENGINE_RPM >= " ~ bind("idle_rpm") ~ ")",
    "TIRE_PRESSURE_FRONT_LEFT": "TIRE_PRESSURE_FRONT_LEFT < " ~ highest,
    "TIRE_PRESSURE_FRONT_RIGHT": "TIRE_PRESSURE_FRONT_RIGHT < " ~ highest,
    "TIRE_PRESSURE_REAR_LEFT": "TIRE_PRESSURE_REAR_LEFT < " ~ highest,
    "TIRE_PRESSURE_REAR_RIGHT": "TIRE_PRESSURE_REAR_RIGHT < " ~ highest,
    "FUEL_LEVEL": "FUEL_LEVEL < " ~ bind("low_fuel"),
    "BATTERY_VOLTAGE": "BATTERY_VOLTAGE < " ~ bind("low_battery"),
} %}
with NEEDY as (
    select TRUCK_ID
    from TRUCK_HISTORY
    where
        IS_CURRENT
        and (
            {%- for condition in reasons.values() %}
                ({{ condition }}){{ " or" if not loop.last }}
            {%- endfor %}
        )
    order by TRUCK_ID
    limit {{ bind("limit") }}
),

JUDGED as (
    select
        TRUCK_ID,
        {%- for name, condition in reasons.items() %}
            {{ condition }} as HOLDS_{{ name }},
        {%- endfor %}
        EFFECTIVE_START_DATE,
        coalesce(EFFECTIVE_END_DATE, '9999-12-31'::timestamp_ntz) as ENDS
    from TRUCK_HISTORY
    where
        TRUCK_ID in (select NEEDY.TRUCK_ID from NEEDY)
        and (
            EFFECTIVE_END_DATE is null
            or EFFECTIVE_END_DATE >= to_timestamp_ntz({{ bind("since") }})
        )
),

COMPARED as (
    select
        *
        {%- for name in reasons -%}
            , max(iff(not HOLDS_{{ name }}, ENDS, null)) over (partition by TRUCK_ID)
                as FINE_UNTIL_{{ name }}
        {%- endfor %}
    from JUDGED
)

select
    TRUCK_ID
    {%- for name in reasons -%}
        , min(
            iff(
                HOLDS_{{ name }}
                and (
                    FINE_UNTIL_{{ name }} is null
                    or EFFECTIVE_START_DATE >= FINE_UNTIL_{{ name }}
                ),
                EFFECTIVE_START_DATE,
                null
            )
        ) as SINCE_{{ name }},
        max(FINE_UNTIL_{{ name }}) is null as IS_LONGER_{{ name }}
    {%- endfor %}
from COMPARED
group by TRUCK_ID
order by TRUCK_ID;
