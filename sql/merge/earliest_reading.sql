-- The hour of the earliest reading that the history does not hold yet: the bound of the MERGE.
-- Grain: one row.  It reads only what landed since the last merge, and consumes nothing.  It is a
-- whole hour, so that the text of the MERGE stays the same from one merge to the next.
select date_trunc('hour', coalesce(min(EVENT_TIME), sysdate())) as EARLIEST
from TRUCK_TELEMETRY_STREAM;
