-- Grain: one row per slice of time in which a version of one truck starts; slice 0 begins at
-- `since`.  However many versions there are in [since, until], the rows are few.
-- Each metric's column is the number of versions in which it changed.  A truck's first version
-- changes nothing.  Versions meet, so the one before `since` ends at or after it.
with SPAN as (
    select
        EFFECTIVE_START_DATE,
        {%- for metric in metrics %}
            {{ metric.name | upper }} is distinct from
            lag({{ metric.name | upper }}) over (order by EFFECTIVE_START_DATE)
                as {{ metric.name | upper }},
        {%- endfor %}
        lag(EFFECTIVE_START_DATE) over (order by EFFECTIVE_START_DATE) is not null as HAS_BEFORE
    from TRUCK_HISTORY
    where
        TRUCK_ID = {{ bind("truck_id") }}
        and EFFECTIVE_START_DATE <= to_timestamp_ntz({{ bind("until") }})
        and (
            EFFECTIVE_END_DATE is null
            or EFFECTIVE_END_DATE >= to_timestamp_ntz({{ bind("since") }})
        )
)

select
    floor(
        datediff(
            'microsecond', to_timestamp_ntz({{ bind("since") }}), EFFECTIVE_START_DATE
        ) / {{ bind("slice_microseconds") }}
    )::integer as SLICE,
    {%- for metric in metrics %}
        count_if({{ metric.name | upper }} and HAS_BEFORE) as {{ metric.name | upper }},
    {%- endfor %}
    count(*) as VERSIONS
from SPAN
where EFFECTIVE_START_DATE >= to_timestamp_ntz({{ bind("since") }})
group by SLICE
order by SLICE;
