-- Stores the balance of one stream and hour.
-- Grain and key: STREAM_NAME, ARRIVAL_HOUR.  Idempotent: counting an hour again overwrites its row.
merge into CONSERVATION_LEDGER as LEDGER
using (
    select
        {{ bind("stream") }} as STREAM_NAME,
        {{ bind("hour") }}::timestamp_ntz as ARRIVAL_HOUR,
        {{ bind("is_open") }} as IS_OPEN,
        {{ bind("balanced") }} as BALANCED,
        {{ bind("archived") }} as ARCHIVED,
        {{ bind("landed") }} as LANDED,
        {{ bind("duplicates") }} as DUPLICATES,
        {{ bind("quarantined") }} as QUARANTINED,
        {{ bind("resolved") }} as RESOLVED,
        {{ bind("missing") }} as MISSING,
        {{ bind("not_loaded") }} as NOT_LOADED,
        {{ bind("unexpected") }} as UNEXPECTED,
        {{ bind("conflicts") }} as CONFLICTS,
        {{ bind("covered") }} as COVERED,
        {{ bind("waiting") }} as WAITING,
        {{ bind("overdue") }} as OVERDUE,
        {{ bind("uncovered") }} as UNCOVERED,
        {{ bind("nulled") }} as NULLED,
        {{ bind("details") }} as DETAILS,
        {{ bind("checked_at") }}::timestamp_ntz as CHECKED_AT,
        {{ bind("run_id") }} as RUN_ID
) as FOUND
    on
        LEDGER.STREAM_NAME = FOUND.STREAM_NAME
        and LEDGER.ARRIVAL_HOUR = FOUND.ARRIVAL_HOUR
when matched then
    update set
        IS_OPEN = FOUND.IS_OPEN,
        BALANCED = FOUND.BALANCED,
        ARCHIVED = FOUND.ARCHIVED,
        LANDED = FOUND.LANDED,
        DUPLICATES = FOUND.DUPLICATES,
        QUARANTINED = FOUND.QUARANTINED,
        RESOLVED = FOUND.RESOLVED,
        MISSING = FOUND.MISSING,
        NOT_LOADED = FOUND.NOT_LOADED,
        UNEXPECTED = FOUND.UNEXPECTED,
        CONFLICTS = FOUND.CONFLICTS,
        COVERED = FOUND.COVERED,
        WAITING = FOUND.WAITING,
        OVERDUE = FOUND.OVERDUE,
        UNCOVERED = FOUND.UNCOVERED,
        NULLED = FOUND.NULLED,
        DETAILS = FOUND.DETAILS,
        CHECKED_AT = FOUND.CHECKED_AT,
        RUN_ID = FOUND.RUN_ID
when not matched then insert (
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
    NOT_LOADED,
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
)
values (
    FOUND.STREAM_NAME,
    FOUND.ARRIVAL_HOUR,
    FOUND.IS_OPEN,
    FOUND.BALANCED,
    FOUND.ARCHIVED,
    FOUND.LANDED,
    FOUND.DUPLICATES,
    FOUND.QUARANTINED,
    FOUND.RESOLVED,
    FOUND.MISSING,
    FOUND.NOT_LOADED,
    FOUND.UNEXPECTED,
    FOUND.CONFLICTS,
    FOUND.COVERED,
    FOUND.WAITING,
    FOUND.OVERDUE,
    FOUND.UNCOVERED,
    FOUND.NULLED,
    FOUND.DETAILS,
    FOUND.CHECKED_AT,
    FOUND.RUN_ID
);
