-- Grain: one row per version of one truck, newest first.
select
    truck_id,
    load_timestamp,
    effective_start_date,
    effective_end_date,
    is_current,
    {{ attributes() }}
from truck_telemetry_data
where truck_id = %(truck_id)s
order by effective_start_date desc
limit %(limit)s
