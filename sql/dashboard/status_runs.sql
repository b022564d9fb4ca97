-- One status of one truck over [since, until].
-- Grain: one row per run of versions with the same status (NULL equals NULL), newest first.
-- STATUS_END is NULL for the last run, which holds until the end of the span.
with SPAN as (
    select
        greatest(EFFECTIVE_START_DATE, to_timestamp_ntz({{ bind("since") }})) as BEGINS,
        case {{ bind("metric") }}
            {%- for metric in metrics if metric.kind == "text" %}
                when '{{ metric.name }}' then {{ metric.name | upper }}
            {%- endfor %}
        end as STATUS
    from TRUCK_HISTORY
    where
        TRUCK_ID = {{ bind("truck_id") }}
        and EFFECTIVE_START_DATE <= to_timestamp_ntz({{ bind("until") }})
        and (
            EFFECTIVE_END_DATE is null
            or EFFECTIVE_END_DATE > to_timestamp_ntz({{ bind("since") }})
        )
),

STARTS as (
    select
        BEGINS,
        STATUS
    from SPAN
    qualify
        row_number() over (order by BEGINS) = 1
        or STATUS is distinct from lag(STATUS) over (order by BEGINS)
)

select
    BEGINS as STATUS_START,
    STATUS,
    lead(BEGINS) over (order by BEGINS) as STATUS_END
from STARTS
order by BEGINS desc
limit {{ bind("limit") }};
