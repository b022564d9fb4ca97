-- Undoes an assignment: every history is again as it was before, because nothing else was stored.
-- Idempotent.
delete from TRACKER_ASSIGNMENTS
where
    REPORTED_ID = {{ bind("reported_id") }}
    and FROM_TIME = {{ bind("since") }}::timestamp_ntz;
