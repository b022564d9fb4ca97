-- Grain: one row per truck and time slice, over the versions that start at or after %(since)s.
-- A slice bounds what a page reads however long the window is: speed and consumption are means over
-- the slice's versions, position and fuel are those of its last version.
select
    truck_id,
    time_slice(effective_start_date, %(slice_seconds)s, 'SECOND') as slice_start,
    max(effective_start_date) as last_time,
    max_by(gps_latitude, effective_start_date) as gps_latitude,
    max_by(gps_longitude, effective_start_date) as gps_longitude,
    avg(vehicle_speed) as vehicle_speed,
    avg(fuel_consumption) as fuel_consumption,
    max_by(fuel_level, effective_start_date) as fuel_level,
    avg(engine_temperature) as engine_temperature
from truck_telemetry_data
where effective_start_date >= to_timestamp_ntz(%(since)s)
group by truck_id, time_slice(effective_start_date, %(slice_seconds)s, 'SECOND')
order by truck_id, slice_start
limit %(limit)s
