-- One row: how many versions a truck has, and from when to when.
select
    count(*) as versions,
    min(effective_start_date) as first_start,
    max(effective_start_date) as last_start
from truck_telemetry_data
where truck_id = %(truck_id)s
