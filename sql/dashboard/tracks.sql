-- Grain: one row per truck and time slice, over the versions that start at or after `since`.
-- Slices bound the rows of a page, however long the window is.  Speed, consumption and temperature
-- are means over a slice's versions; position and fuel are those of its last version.
-- The newest slices come first: where there are more rows than `limit`, each truck keeps its own.
select
    TRUCK_ID,
    time_slice(EFFECTIVE_START_DATE, {{ bind("slice_seconds") }}, 'SECOND') as SLICE_START,
    max(EFFECTIVE_START_DATE) as LAST_TIME,
    max_by(GPS_LATITUDE, EFFECTIVE_START_DATE) as GPS_LATITUDE,
    max_by(GPS_LONGITUDE, EFFECTIVE_START_DATE) as GPS_LONGITUDE,
    avg(VEHICLE_SPEED) as VEHICLE_SPEED,
    avg(FUEL_CONSUMPTION) as FUEL_CONSUMPTION,
    max_by(FUEL_LEVEL, EFFECTIVE_START_DATE) as FUEL_LEVEL,
    avg(ENGINE_TEMPERATURE) as ENGINE_TEMPERATURE
from TRUCK_TELEMETRY_DATA
where EFFECTIVE_START_DATE >= to_timestamp_ntz({{ bind("since") }})
group by TRUCK_ID, time_slice(EFFECTIVE_START_DATE, {{ bind("slice_seconds") }}, 'SECOND')
order by SLICE_START desc, TRUCK_ID asc
limit {{ bind("limit") }};
