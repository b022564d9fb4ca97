-- Records one run of the merge.
-- Grain and key: RUN_ID.  Idempotent: the same run overwrites its row.
-- A run is tried again within hours.  The constant bound makes it look at the newest rows only.
merge into HISTORY_MERGE_RUNS as RECORDED
using (
    select
        {{ bind("run_id") }} as RUN_ID,
        {{ bind("started_at") }}::timestamp_ntz as STARTED_AT,
        {{ bind("finished_at") }}::timestamp_ntz as FINISHED_AT,
        {{ bind("rows_inserted") }} as ROWS_INSERTED,
        {{ bind("rows_updated") }} as ROWS_UPDATED,
        {{ bind("rows_deleted") }} as ROWS_DELETED
) as THIS_RUN
    on
        RECORDED.RUN_ID = THIS_RUN.RUN_ID
        and RECORDED.FINISHED_AT >= dateadd('day', -2, {{ bind("started_at") }}::timestamp_ntz)
when matched then
    update set
        STARTED_AT = THIS_RUN.STARTED_AT,
        FINISHED_AT = THIS_RUN.FINISHED_AT,
        ROWS_INSERTED = THIS_RUN.ROWS_INSERTED,
        ROWS_UPDATED = THIS_RUN.ROWS_UPDATED,
        ROWS_DELETED = THIS_RUN.ROWS_DELETED
when not matched then insert (
    RUN_ID,
    STARTED_AT,
    FINISHED_AT,
    ROWS_INSERTED,
    ROWS_UPDATED,
    ROWS_DELETED
)
values (
    THIS_RUN.RUN_ID,
    THIS_RUN.STARTED_AT,
    THIS_RUN.FINISHED_AT,
    THIS_RUN.ROWS_INSERTED,
    THIS_RUN.ROWS_UPDATED,
    THIS_RUN.ROWS_DELETED
);
