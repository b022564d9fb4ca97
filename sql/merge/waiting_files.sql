-- The landing files with readings that the history does not hold yet, by name, for the merge's log.
-- Grain: one row per file, at most 200; the other columns are of all files.  It reads only what
-- landed since the last merge, and consumes nothing.
select
    FILE_NAME,
    count(*) as READINGS,
    count(*) over () as FILE_COUNT,
    max(max(ARRIVAL_TIME)) over () as NEWEST_ARRIVAL
from TRUCK_TELEMETRY_STREAM
group by FILE_NAME
order by FILE_NAME
limit 200;
