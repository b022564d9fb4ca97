-- The earliest event among the readings that arrived from `since` to before `until`.
-- Grain: one row, NULL if none arrived.  Pruning: as in readings_of_hour.sql.
select min(EVENT_TIME) as EVENT_TIME
from TRUCK_TELEMETRY_RAW
where
    ARRIVAL_TIME >= {{ bind("since") }}::timestamp_ntz
    and ARRIVAL_TIME < {{ bind("until") }}::timestamp_ntz;
