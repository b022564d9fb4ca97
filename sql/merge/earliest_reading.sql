-- The hour of the earliest reading that the history does not hold yet: the bound of the MERGE.
-- Grain: one row.  It reads only what landed since the last merge, and consumes nothing.  It is a
-- whole hour, so that the text of the MERGE stays the same from one merge to the next.
-- A reading more than 100 days old when it arrived comes from a wrong clock (GPS week rollover is
-- 1,024 weeks) and moves the bound only if all are so old: one reading of 2007 would make the MERGE
-- read everything since, for all trucks.  It reads that for the trucks with such readings only.
select
    date_trunc(
        'hour',
        coalesce(
            min(iff(EVENT_TIME >= dateadd('day', -100, ARRIVAL_TIME), EVENT_TIME, null)),
            min(EVENT_TIME),
            sysdate()
        )
    ) as EARLIEST
from TRUCK_TELEMETRY_STREAM;
