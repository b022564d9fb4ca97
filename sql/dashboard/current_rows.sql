-- Grain: one row per truck, its current version.
select
    truck_id,
    load_timestamp,
    effective_start_date,
    effective_end_date,
    is_current,
    {{ attributes() }}
from truck_telemetry_data
where is_current
order by truck_id
limit %(limit)s
