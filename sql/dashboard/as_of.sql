-- The version of one truck that was valid at %(instant)s (UTC), or no row.
-- Intervals are half-open: a version ends where the next one starts.
select
    truck_id,
    load_timestamp,
    effective_start_date,
    effective_end_date,
    is_current,
    {{ attributes() }}
from truck_telemetry_data
where
    truck_id = %(truck_id)s
    and effective_start_date <= to_timestamp_ntz(%(instant)s)
    and (effective_end_date is null or effective_end_date > to_timestamp_ntz(%(instant)s))
