-- Grain: one row per version of one truck, newest first.
select
    {{ history_columns() }},
    REPORTED_ID
from TRUCK_HISTORY
where TRUCK_ID = {{ bind("truck_id") }}
order by EFFECTIVE_START_DATE desc
limit {{ bind("limit") }};
