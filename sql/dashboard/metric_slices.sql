-- One metric of one truck over [since, until].
-- Grain: one row per slice of time in which a version starts; slice 0 begins at `since`, and the
-- version that is valid then counts as if it started there.
-- AREA is the sum of value times microseconds, and LASTED the microseconds of known values, within
-- the slice: the mean of values that last differently long is AREA / LASTED.  FIRST_START is where
-- the slice's first version begins: until then, the value of the slice before still holds.
-- LAST_VALUE, NULL if it is not known, holds until the next row.
with SPAN as (
    select
        greatest(EFFECTIVE_START_DATE, to_timestamp_ntz({{ bind("since") }})) as BEGINS,
        least(
            coalesce(EFFECTIVE_END_DATE, to_timestamp_ntz({{ bind("until") }})),
            to_timestamp_ntz({{ bind("until") }})
        ) as ENDS,
        case {{ bind("metric") }}
            {%- for metric in metrics if metric.kind == "number" %}
                when '{{ metric.name }}' then {{ metric.name | upper }}
            {%- endfor %}
        end as METRIC_VALUE
    from TRUCK_HISTORY
    where
        TRUCK_ID = {{ bind("truck_id") }}
        and EFFECTIVE_START_DATE <= to_timestamp_ntz({{ bind("until") }})
        and (
            EFFECTIVE_END_DATE is null
            or EFFECTIVE_END_DATE > to_timestamp_ntz({{ bind("since") }})
        )
),

SLICED as (
    select
        *,
        floor(
            datediff('microsecond', to_timestamp_ntz({{ bind("since") }}), BEGINS)
            / {{ bind("slice_microseconds") }}
        )::integer as SLICE
    from SPAN
),

WEIGHED as (
    select
        *,
        iff(
            METRIC_VALUE is null,
            0,
            least(
                datediff('microsecond', BEGINS, ENDS),
                (SLICE + 1) * {{ bind("slice_microseconds") }}
                - datediff('microsecond', to_timestamp_ntz({{ bind("since") }}), BEGINS)
            )
        ) as LASTED
    from SLICED
)

select
    SLICE,
    min(BEGINS) as FIRST_START,
    min(METRIC_VALUE) as LOWEST,
    max(METRIC_VALUE) as HIGHEST,
    sum(METRIC_VALUE * LASTED) as AREA,
    sum(LASTED) as LASTED,
    -- Not every engine lets max_by return NULL.
    nullif(
        max_by(coalesce(METRIC_VALUE, 'NaN'::float), BEGINS), 'NaN'::float
    ) as LAST_VALUE
from WEIGHED
group by SLICE
order by SLICE;
