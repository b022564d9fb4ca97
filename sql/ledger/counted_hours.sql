-- What the ledger has of a stream, for choosing which hours to count next.
-- Grain: one row an hour.
select
    ARRIVAL_HOUR,
    IS_OPEN,
    BALANCED,
    WAITING,
    CHECKED_AT,
    RUN_ID,
    MISSING,
    UNEXPECTED,
    CONFLICTS,
    OVERDUE,
    UNCOVERED
from CONSERVATION_LEDGER
where STREAM_NAME = {{ bind("stream") }}
order by ARRIVAL_HOUR;
