-- Grain: one row per stream and arrival hour of the ledger, the newest hours of each stream first.
select
    STREAM_NAME,
    ARRIVAL_HOUR,
    IS_OPEN,
    BALANCED,
    ARCHIVED,
    LANDED,
    DUPLICATES,
    QUARANTINED,
    RESOLVED,
    MISSING,
    UNEXPECTED,
    CONFLICTS,
    COVERED,
    WAITING,
    OVERDUE,
    UNCOVERED,
    NULLED,
    DETAILS,
    CHECKED_AT,
    RUN_ID
from CONSERVATION_LEDGER
qualify
    row_number() over (partition by STREAM_NAME order by ARRIVAL_HOUR desc)
    <= {{ bind("hours") }}
order by ARRIVAL_HOUR desc, STREAM_NAME asc;
