-- The ledger's hours of a stream, to choose which hours to count next.
-- Grain: one row per hour.
select
    ARRIVAL_HOUR,
    IS_OPEN,
    BALANCED,
    WAITING,
    CHECKED_AT,
    ALERTED
from CONSERVATION_LEDGER
where STREAM_NAME = {{ bind("stream") }}
order by ARRIVAL_HOUR;
