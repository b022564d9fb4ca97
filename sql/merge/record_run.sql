-- Writes down one run of the merge.
-- Grain and key: RUN_ID.  Idempotent: the same run again overwrites what it had written.
merge into HISTORY_MERGE_RUNS as recorded
using (
    select
        %(run_id)s as RUN_ID,
        %(started_at)s::timestamp_ntz as STARTED_AT,
        %(finished_at)s::timestamp_ntz as FINISHED_AT,
        %(rows_inserted)s as ROWS_INSERTED,
        %(rows_updated)s as ROWS_UPDATED,
        %(rows_deleted)s as ROWS_DELETED
) as run
    on recorded.RUN_ID = run.RUN_ID
when matched then update set
    STARTED_AT = run.STARTED_AT,
    FINISHED_AT = run.FINISHED_AT,
    ROWS_INSERTED = run.ROWS_INSERTED,
    ROWS_UPDATED = run.ROWS_UPDATED,
    ROWS_DELETED = run.ROWS_DELETED
when not matched then insert (RUN_ID, STARTED_AT, FINISHED_AT, ROWS_INSERTED, ROWS_UPDATED, ROWS_DELETED)
    values (run.RUN_ID, run.STARTED_AT, run.FINISHED_AT, run.ROWS_INSERTED, run.ROWS_UPDATED, run.ROWS_DELETED);
